/* Every bound of Baton, once. `baton limits` prints this list; what happens at a bound stands
 * beside it. LIMIT(NAME, value, "unit", "what happens there"). */
#ifndef PROTO_LIMITS_H
#define PROTO_LIMITS_H

#define LIMITS(LIMIT)                                                                          \
    LIMIT(MEMBERS, 32, "members", "genesis refused (CONSENSUS 1)")                             \
    LIMIT(TOTAL_WEIGHT, 1000000, "weight", "genesis refused (CONSENSUS 1)")                    \
    LIMIT(TURN_SLOTS, 4096, "slots", "genesis refused (CONSENSUS 2)")                          \
    LIMIT(AHEAD_SLOTS, 65536, "slots", "genesis refused: K (n + 1) (CONSENSUS 1)")             \
    LIMIT(TURN_MS, 10000, "ms", "genesis refused: K times maximum interval (CONSENSUS 1)")     \
    LIMIT(DEPTH, 16, "slots", "genesis refused: pipeline depth (CONSENSUS 4)")                 \
    LIMIT(CORE_RECORDS, 4096, "records", "kept on disk only (CONSENSUS 10)")                   \
    LIMIT(CORE_EFFECTS, 1024, "effects", "a step ends early and goes on in the next")          \
    LIMIT(UNFINAL_BLOCKS, 1024, "blocks", "the leader proposes only EMPTY (CONSENSUS 7)")      \
    LIMIT(STEP_VOTES, 32, "votes", "the rest goes into the next step (CONSENSUS 8)")           \
    LIMIT(SIGNATURE_CACHE, 8192, "signatures", "oldest entries overwritten")                   \
    LIMIT(SYSTEM_BYTES, 65536, "bytes", "block invalid (CONSENSUS 2)")                         \
    LIMIT(SYSTEM_INSIDE, 512, "bytes", "block invalid: system section inside a turn")          \
    LIMIT(BODY_BYTES, 4194304, "bytes", "block invalid")                                       \
    LIMIT(BODY_TXS, 16384, "transactions", "block invalid")                                    \
    LIMIT(TX_BYTES, 131072, "bytes", "transaction refused, as in geth")                        \
    LIMIT(ACCESS_LIST, 4096, "entries", "transaction refused")                                 \
    LIMIT(BUNDLE_CERTS, 128, "certificates", "the rest goes into the next bundle")             \
    LIMIT(BUNDLE_HEADERS, 32, "headers", "the rest is fetched")                                \
    LIMIT(FRAME_VOTES, 128, "votes", "frame malformed")                                        \
    LIMIT(FRAME_HELLO, 4096, "bytes", "connection cut")                                        \
    LIMIT(FRAME_CONTROL, 524288, "bytes", "connection cut: votes, status, bundles")            \
    LIMIT(FRAME_PROPOSAL, 1048576, "bytes", "connection cut")                                  \
    LIMIT(FRAME_BODY, 4718592, "bytes", "connection cut")                                      \
    LIMIT(FRAME_TXS, 1048576, "bytes", "connection cut")                                       \
    LIMIT(FRAME_SYNC, 8388608, "bytes", "connection cut")                                      \
    LIMIT(FRAME_INTENT, 1114112, "bytes", "connection cut")                                    \
    LIMIT(LANE_FRAMES, 4096, "frames", "votes: oldest dropped; else refused; counted")         \
    LIMIT(LANE_BYTES, 33554432, "bytes", "lane refuses, counted")                              \
    LIMIT(PEER_CONNECTIONS, 64, "connections", "refused")                                      \
    LIMIT(PEER_HANDSHAKES, 64, "handshakes", "refused")                                        \
    LIMIT(HANDSHAKE_MS, 3000, "ms", "connection cut")                                          \
    LIMIT(BAN_MIN_MS, 30000, "ms", "first ban; doubles")                                       \
    LIMIT(BAN_MAX_MS, 3600000, "ms", "longest ban")                                            \
    LIMIT(DIAL_MIN_MS, 20, "ms", "first wait before dialling again; doubles, with jitter")     \
    LIMIT(DIAL_MAX_MS, 1000, "ms", "longest wait before dialling again")                       \
    LIMIT(PEER_IDLE_MS, 15000, "ms", "silent connection closed, dialled again")                \
    LIMIT(PEER_RETRY_MS, 100, "ms", "reset connection: longest wait for one retry")            \
    LIMIT(PEER_RETRY_RTT_MS, 40, "ms", "RTT up to which a reset is retried (CONSENSUS 6)")     \
    LIMIT(PEER_FRAMES, 20000, "frames/s", "peer cut and banned: budget")                       \
    LIMIT(PEER_FAILURES, 16, "handshakes/s", "failed, per address: more are refused")          \
    LIMIT(PEER_ADDRESSES, 64, "addresses", "the one seen longest ago is forgotten")            \
    LIMIT(PEER_WRITE_BYTES, 262144, "bytes", "a loop turn writes no more to one peer")         \
    LIMIT(SYNC_BLOCKS, 64, "blocks", "an answer holds no more; the asker asks again")          \
    LIMIT(SYNC_BYTES, 4194304, "bytes", "an answer holds no more; the asker asks again")       \
    LIMIT(BLOCK_CACHE_BYTES, 67108864, "bytes", "older bodies are read from disk")             \
    LIMIT(POOL_TXS, 65536, "transactions", "refused; half for what no block can take now")     \
    LIMIT(POOL_BYTES, 67108864, "bytes", "refused; half for what no block can take now")       \
    LIMIT(POOL_ACCOUNT_TXS, 4096, "transactions", "refused: per sender, executable")           \
    LIMIT(POOL_ACCOUNT_QUEUED, 64, "transactions", "refused: per sender, nonce ahead")         \
    LIMIT(POOL_EXPIRY_S, 10800, "s", "a queued transaction that never became executable")      \
    LIMIT(INTAKE_WAITING, 16384, "transactions", "new ones refused: acknowledgement pending")  \
    LIMIT(INTAKE_LATE_MS, 500, "ms", "new ones refused: the oldest waits so long for its check") \
    LIMIT(INTAKE_BATCH, 512, "transactions", "rest in the next frame")                         \
    LIMIT(INTAKE_RETOLD, 64, "transactions", "old ones, told to one member a second: rest later") \
    LIMIT(SENDERS_KNOWN, 65536, "senders", "an older one is recovered again")                  \
    LIMIT(RPC_CONNECTIONS, 1024, "connections", "refused with 503")                            \
    LIMIT(RPC_CONNECTIONS_PER_IP, 512, "connections", "refused with 429")                      \
    LIMIT(RPC_BODY, 5242880, "bytes", "413")                                                   \
    LIMIT(RPC_BATCH, 1000, "requests", "error -32600")                                         \
    LIMIT(RPC_HEADER, 16384, "bytes", "431")                                                   \
    LIMIT(RPC_JSON_DEPTH, 32, "levels", "error -32700")                                        \
    LIMIT(RPC_IDLE_MS, 120000, "ms", "connection closed")                                      \
    LIMIT(RPC_INFLIGHT, 1024, "requests", "error -32600: per connection, being answered")       \
    LIMIT(RPC_REQUEST_MS, 30000, "ms", "408: a request takes longer to come in")               \
    LIMIT(RPC_JOB_BYTES, 67108864, "bytes", "error -32005: lent to workers")                   \
    LIMIT(RPC_WAITING, 16384, "calls", "error -32005: eth_sendRawTransactionSync")              \
    LIMIT(RPC_SUBSCRIPTIONS, 64, "subscriptions", "refused, per connection")                   \
    LIMIT(RPC_OUT_BYTES, 16777216, "bytes", "slow reader disconnected")                        \
    LIMIT(CLIENT_ANSWER, 33554432, "bytes", "the tools refuse a larger answer")                   \
    LIMIT(BENCH_TXS, 4000000, "transactions", "bench load refuses: rate times duration")       \
    LIMIT(LOG_LINE, 4096, "bytes", "line cut")                                                 \
    LIMIT(INCIDENTS, 1024, "incidents", "oldest forgotten")                                    \
    LIMIT(STORAGE_QUEUE, 8192, "writes", "waits for the storage thread")                       \
    LIMIT(STORAGE_BYTES, 134217728, "bytes", "waits for the storage thread")                   \
    LIMIT(STORAGE_GROUP, 1048576, "bytes", "the rest goes into the next group commit")        \
    LIMIT(STORAGE_PROBE, 16777216, "bytes", "less room: after a failed write none is tried")    \
    LIMIT(STORAGE_LOG, 4194304, "bytes", "the database is flushed and the other log file begun")   \
    LIMIT(STORAGE_KEY, 256, "bytes", "refused: key of a stored table")                         \
    LIMIT(STORAGE_PRUNE, 256, "steps", "the journal is pruned only when it holds more")        \
    LIMIT(LEDGER_STATES, 1024, "states", "older states are forgotten, as in a pruned geth")    \
    LIMIT(LEDGER_HISTORY_BYTES, 33554432, "bytes", "older states are forgotten sooner")        \
    LIMIT(LEDGER_BUILT, 64, "payloads", "the oldest unused build is forgotten")                \
    LIMIT(LEDGER_OPEN, 2048, "states", "more blocks above the final head: asked again later")  \
    LIMIT(LEDGER_QUEUE, 256, "calls", "refused: the ledger is behind")                         \
    LIMIT(BUILDER_ASIDE, 256, "transactions", "oldest offered again")                          \
    LIMIT(BATCH_FRAME, 1000000, "bytes", "payload ignored: a frame's data (OP)")               \
    LIMIT(CHANNEL_BYTES, 100000000, "bytes", "channel dropped: compressed, 200 a frame (OP)")  \
    LIMIT(SPAN_ELEMENTS, 10000000, "elements", "batch ignored: blocks, transactions (OP)")     \
    LIMIT(TX_BLOBS, 6, "blobs", "blob transaction refused (EIP-7594)")                         \
    LIMIT(SEGMENT_BLOCKS, 10000, "blocks", "the segment is closed")                            \
    LIMIT(SEGMENT_BYTES, 600000, "bytes", "the segment is closed: bodies, uncompressed")       \
    LIMIT(L1_BLOCK_BYTES, 140000, "bytes", "with an L1 the leader's next block takes the rest") \
    LIMIT(OPEN_SEGMENTS, 64, "segments", "older ones are checked when read, not at a start")   \
    LIMIT(SEAL_MIN_MS, 100, "ms", "genesis refused: sealIntervalMs")                           \
    LIMIT(SEAL_MAX_MS, 3600000, "ms", "genesis refused: sealIntervalMs")                       \
    LIMIT(AUTH_HEADERS, 192, "headers", "a segment waits for a certificate nearer to its end") \
    LIMIT(POST_BLOCKS, 256, "blocks", "a piece of posting work reads no more; the next goes on") \
    LIMIT(POST_RETRY_MS, 10000, "ms", "longest wait before a failed posting is tried again")   \
    LIMIT(UNSAFE_SLOW_BYTES, 2000000, "bytes", "stage 1: blocks become smaller (estimated, compressed)") \
    LIMIT(UNSAFE_LEAST_BYTES, 20000000, "bytes", "stage 2: smallest blocks, small transactions") \
    LIMIT(UNSAFE_STOP_BYTES, 64000000, "bytes", "stage 3: empty blocks, new transactions refused") \
    LIMIT(UNSAFE_SLOW_S, 600, "s", "stage 1: the oldest block that is not safe")               \
    LIMIT(UNSAFE_LEAST_S, 7200, "s", "stage 2")                                                \
    LIMIT(UNSAFE_STOP_S, 21600, "s", "stage 3")                                                \
    LIMIT(L1_ENDPOINTS, 16, "endpoints", "configuration refused")                              \
    LIMIT(WEB_ANSWER, 33554432, "bytes", "the endpoint's answer is dropped, counted")           \
    LIMIT(ENGINE_CALLS, 256, "calls", "refused: the execution client is behind")               \
    LIMIT(ENGINE_BYTES, 67108864, "bytes", "refused: bodies waiting for the execution client") \
    LIMIT(ENGINE_KNOWN, 2048, "blocks", "older ones are asked of the client again")            \
    LIMIT(ENGINE_OFFERS, 256, "transactions", "not offered to the client's pool: too many under way") \
    LIMIT(ENGINE_READS, 64, "requests", "not asked of the execution client: too many under way")  \
    LIMIT(ENGINE_REQUESTS, 8, "requests", "block invalid: kinds of EIP-7685")                  \
    LIMIT(ENGINE_SHORT_ANSWER, 4194304, "bytes", "the client's answer is dropped: no payload")  \
    LIMIT(L1_SHORT_ANSWER, 4194304, "bytes", "the same, where no block is asked for")          \
    LIMIT(WEB_JSON, 524288, "values", "the endpoint's answer is dropped, counted")              \
    LIMIT(L1_CALLS, 256, "calls", "refused: to the L1, under way")                             \
    LIMIT(L1_FEE_BLOCKS, 20, "blocks", "fee history asks for no more")                         \
    LIMIT(L1_PATH, 16, "headers", "the rest is asked for next")                                \
    LIMIT(L1_REORG, 65, "blocks", "none kept: the caller goes further back")                   \
    LIMIT(L1_BLOBS, 32, "blobs", "refused: in one call to the L1")                             \
    LIMIT(DERIVE_HASHES, 512, "blocks", "a deeper reorg of the L1: derived anew from the start") \
    LIMIT(DERIVE_ROWS, 4096, "postings", "oldest forgotten: not final on the L1")              \
    LIMIT(DERIVE_POOL, 256, "transactions", "oldest forgotten: calldata waiting for its half") \
    LIMIT(DERIVE_POOL_BYTES, 33554432, "bytes", "oldest forgotten: the same")                  \
    LIMIT(DERIVE_TRIES, 8, "envelopes", "the rest is not tried: for one payload")              \
    LIMIT(DERIVE_MEMO, 65536, "blocks", "older executions forgotten: no reorg that deep")      \
    LIMIT(TXM_SLOTS, 512, "nonces", "posting waits: not final yet")                            \
    LIMIT(TXM_RUNGS, 32, "transactions", "no further fees for one nonce")                      \
    LIMIT(TXM_GROUP, 67108864, "bytes", "posting waits: one write to its journal")             \
    LIMIT(TXM_FILE, 268435456, "bytes", "journal of posting refused at the start")             \
    LIMIT(DUTY_SEGMENTS, 8192, "segments", "the rest is taken up as earlier ones are final")   \
    LIMIT(DUTY_INFLIGHT, 8, "segments", "the rest waits for those on their way to the L1")        \
    LIMIT(DUTY_INTENTS, 256, "intents", "the one for the farthest segment is forgotten")       \
    LIMIT(INTENT_BYTES, 1081344, "bytes", "intent refused")                                    \
    LIMIT(INTENT_FILE, 268435456, "bytes", "no more are stored, nor acknowledged")             \
    LIMIT(INTENT_LETTERS, 64, "letters", "dropped: about intents, waiting; a quarter a member")  \
    LIMIT(BATCH_JSON, 1000000, "elements", "baton batch prints no larger batch")               \
    LIMIT(CONFIG_S, 31536000, "s", "duration in a configuration refused")                      \
    LIMIT(CONFIG_BYTES, 1048576, "bytes", "configuration refused")

enum limit {
#define LIMIT(name, value, unit, effect) LIMIT_##name = (value),
    LIMITS(LIMIT)
#undef LIMIT
};

#endif
