#define _GNU_SOURCE
#include <stdio.h>

#include "sequencer/cli/devnet_el.h"
#include "sequencer/cli/doc.h"

/* What the forks keep in the state, at the addresses and with the code that the EIPs name. */
static const struct contract {
    const char *address;
    const char *code;
} contracts[] = {
    /* EIP-4788: roots of beacon blocks */
    {"000F3df6D732807Ef1319fB7B8bB8522d0Beac02",
     "0x3373fffffffffffffffffffffffffffffffffffffffe14604d57602036146024575f5ffd5b5f35801560"
     "495762001fff810690815414603c575f5ffd5b62001fff01545f5260205ff35b5f5ffd5b62001fff420642"
     "81555f359062001fff015500"},
    /* EIP-2935: hashes of earlier blocks */
    {"0000F90827F1C53a10cb7A02335B175320002935",
     "0x3373fffffffffffffffffffffffffffffffffffffffe14604657602036036042575f3560014303811160"
     "4257611fff81430311604257611fff9006545f5260205ff35b5f5ffd5b5f35611fff60014303065500"},
    /* EIP-7002: withdrawals asked for */
    {"00000961Ef480Eb55e80D19ad83579A64c007002",
     "0x3373fffffffffffffffffffffffffffffffffffffffe1460cb5760115f54807fffffffffffffffffffff"
     "ffffffffffffffffffffffffffffffffffffffffffff146101f457600182026001905f5b5f821115606857"
     "81019083028483029004916001019190604d565b909390049250505036603814608857366101f457346101"
     "f4575f5260205ff35b34106101f457600154600101600155600354806003026004013381556001015f3581"
     "5560010160203590553360601b5f5260385f601437604c5fa0600101600355005b60035460025480820380"
     "60101160df575060105b5f5b8181146101835782810160030260040181604c02815460601b815260140181"
     "6001015481526020019060020154807fffffffffffffffffffffffffffffffff0000000000000000000000"
     "0000000000168252906010019060401c908160381c81600701538160301c81600601538160281c81600501"
     "538160201c81600401538160181c81600301538160101c81600201538160081c81600101535360010160e1"
     "565b910180921461019557906002556101a0565b90505f6002555f6003555b5f54807fffffffffffffffff"
     "ffffffffffffffffffffffffffffffffffffffffffffffff14156101cd57505f5b60015460028282011161"
     "01e25750505f6101e8565b01600290035b5f555f600155604c025ff35b5f5ffd"},
    /* EIP-7251: consolidations asked for */
    {"0000BBdDc7CE488642fb579F8B00f3a590007251",
     "0x3373fffffffffffffffffffffffffffffffffffffffe1460d35760115f54807fffffffffffffffffffff"
     "ffffffffffffffffffffffffffffffffffffffffffff1461019a57600182026001905f5b5f821115606857"
     "81019083028483029004916001019190604d565b9093900492505050366060146088573661019a57346101"
     "9a575f5260205ff35b341061019a57600154600101600155600354806004026004013381556001015f3581"
     "55600101602035815560010160403590553360601b5f5260605f60143760745fa0600101600355005b6003"
     "546002548082038060021160e7575060025b5f5b8181146101295782810160040260040181607402815460"
     "601b815260140181600101548152602001816002015481526020019060030154905260010160e9565b9101"
     "80921461013b5790600255610146565b90505f6002555f6003555b5f54807fffffffffffffffffffffffff"
     "ffffffffffffffffffffffffffffffffffffffff141561017357505f5b6001546001828201116101885750"
     "505f61018e565b01600190035b5f555f6001556074025ff35b5f5ffd"},
};
enum { CONTRACTS = sizeof contracts / sizeof contracts[0] };

static void put_zero(struct json_object *o, const char *key)
{
    doc_put_u64(o, key, 0);
}

static struct json_object *blobs(uint64_t target, uint64_t most, uint64_t fraction)
{
    struct json_object *o = json_object_new_object();
    doc_put_u64(o, "target", target);
    doc_put_u64(o, "max", most);
    doc_put_u64(o, "baseFeeUpdateFraction", fraction);
    return o;
}

/* Every fork to Prague from the start; the constants of blobs are those of the mainnet (EIP-7691),
 * which no block of ours has. */
static struct json_object *make_config(const struct genesis *g)
{
    static const char *const from_zero[] = {
        "homesteadBlock",      "eip150Block",     "eip155Block",    "eip158Block",
        "byzantiumBlock",      "constantinopleBlock", "petersburgBlock", "istanbulBlock",
        "berlinBlock",         "londonBlock",     "mergeForkBlock", "mergeNetsplitBlock",
        "terminalTotalDifficulty", "shanghaiTime", "cancunTime",    "pragueTime"};
    struct json_object *o = json_object_new_object();
    struct json_object *schedule = json_object_new_object();
    doc_put_u64(o, "chainId", g->chain_id);
    for (size_t i = 0; i < sizeof from_zero / sizeof from_zero[0]; i++) {
        put_zero(o, from_zero[i]);
    }
    doc_put(o, "terminalTotalDifficultyPassed", json_object_new_boolean(true));
    doc_put(schedule, "cancun", blobs(3, 6, 3338477));
    doc_put(schedule, "prague", blobs(6, 9, 5007716));
    doc_put(o, "blobSchedule", schedule);
    doc_put_text(o, "depositContractAddress", "0x00000000219ab540356cBB839Cbe05303d7705Fa");
    return o;
}

static void put_quantity(struct json_object *o, const char *key, uint64_t value)
{
    char text[32];
    snprintf(text, sizeof text, "0x%llx", (unsigned long long)value);
    doc_put_text(o, key, text);
}

static void put_u256(struct json_object *o, const char *key, const struct u256 *value)
{
    char text[U256_HEX_SIZE];
    u256_to_hex(text, value);
    doc_put_text(o, key, text);
}

static struct json_object *make_alloc(const struct genesis *g)
{
    struct json_object *o = json_object_new_object();
    for (uint32_t i = 0; i < g->allocs; i++) {
        struct json_object *account = json_object_new_object();
        char text[HEX_SIZE(20)];
        hex_encode(text, g->alloc[i].address.b, 20);
        put_u256(account, "balance", &g->alloc[i].balance);
        doc_put(o, text + 2, account);
    }
    for (size_t i = 0; i < CONTRACTS; i++) {
        struct json_object *account = json_object_new_object();
        put_quantity(account, "nonce", 1);
        put_quantity(account, "balance", 0);
        doc_put_text(account, "code", contracts[i].code);
        doc_put(o, contracts[i].address, account);
    }
    return o;
}

static struct json_object *make(const struct genesis *g)
{
    static const char zero_hash[] =
        "0x0000000000000000000000000000000000000000000000000000000000000000";
    struct json_object *o = json_object_new_object();
    doc_put(o, "config", make_config(g));
    put_quantity(o, "nonce", 0);
    put_quantity(o, "timestamp", g->timestamp_ms / 1000);
    doc_put_text(o, "extraData", "0x");
    put_quantity(o, "gasLimit", g->params.gas_limit);
    put_quantity(o, "difficulty", 0);
    doc_put_text(o, "mixHash", zero_hash);
    doc_put_text(o, "coinbase", "0x0000000000000000000000000000000000000000");
    put_u256(o, "baseFeePerGas", &g->base_fee);
    put_quantity(o, "blobGasUsed", 0);
    put_quantity(o, "excessBlobGas", 0);
    doc_put_text(o, "parentBeaconBlockRoot", zero_hash);
    doc_put(o, "alloc", make_alloc(g));
    return o;
}

enum err devnet_el_genesis_write(const struct genesis *g, const char *path)
{
    struct json_object *o = make(g);
    enum err e = devnet_record_write(path, json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN));
    json_object_put(o);
    return e;
}
