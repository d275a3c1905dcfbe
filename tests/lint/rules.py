"""The rules as tables. ARCHITECTURE's table of rooms in a form that a program reads."""

ROOMS = ["proto", "consensus", "p2p", "storage"]
TRADES = ["node", "mempool", "builder", "execution", "batcher", "rpc", "observe", "web", "l1",
          "engine", "steps", "cli"]

# Who may include whom, besides itself. Trades do not include each other: they meet in node/.
MAY_INCLUDE = {
    "proto": [],
    "consensus": ["proto"],
    "p2p": ["proto"],
    "storage": ["proto"],
    "sequencer/mempool": ["proto"],
    "sequencer/builder": ["proto"],
    "sequencer/execution": ["proto"],
    "sequencer/batcher": ["proto"],
    "sequencer/rpc": ["proto"],
    # JSON-RPC from this side: no trade, but what two of them stand on.
    "sequencer/web": ["proto"],
    "sequencer/l1": ["proto", "sequencer/web"],
    # An execution client behind the interface that execution/ names.
    "sequencer/engine": ["proto", "sequencer/web", "sequencer/execution"],
    "sequencer/observe": ["proto"],
    "sequencer/steps": ["proto", "consensus", "storage"],
    "sequencer/node": ROOMS + ["sequencer/" + t for t in TRADES if t not in ("node", "cli")],
    "sequencer/cli": ROOMS + ["sequencer/" + t for t in TRADES if t != "cli"],
}

# From outside sequencer/ only these headers of a lower room are seen; proto's are all public.
PUBLIC_HEADERS = {
    "consensus": ["consensus/consensus.h"],
    "p2p": ["p2p/p2p.h"],
    "storage": ["storage/storage.h"],
}

# Headers of packages and of the system: where they may stand (prefixes of paths), nowhere else.
HEADERS = {
    "rocksdb/": ["storage/kv_rocksdb.c"],
    "protobuf-c/": ["proto/"],
    ".pb-c.h": ["proto/"],
    "secp256k1": ["proto/key.c", "sequencer/cli/mnemonic.c"],
    "openssl/ssl.h": ["p2p/tls.c"],
    "openssl/err.h": ["p2p/tls.c"],
    "openssl/x509": ["p2p/tls.c"],
    "openssl/": ["proto/", "p2p/", "sequencer/node/", "sequencer/rpc/", "sequencer/cli/",
                 "sequencer/batcher/blob_tx.c", "sequencer/engine/jwt.c"],
    "uv.h": ["p2p/", "sequencer/node/", "sequencer/rpc/", "sequencer/cli/", "sequencer/batcher/",
             "sequencer/execution/", "sequencer/web/", "sequencer/l1/", "sequencer/engine/"],
    "json-c/": ["sequencer/"],
    "curl/": ["sequencer/cli/", "sequencer/rpc/forward.c", "sequencer/web/", "sequencer/l1/client.c"],
    "yaml.h": ["sequencer/node/config_yaml.c"],
    "llhttp.h": ["sequencer/rpc/"],
    "zlib.h": ["sequencer/batcher/compress.c"],
    "brotli/": ["sequencer/batcher/compress.c"],
    "wslay/": ["sequencer/rpc/", "sequencer/cli/"],
    "pthread.h": ["storage/", "sequencer/"],
    "threads.h": [],
    "cmocka.h": [],
}

# The core: a function of events. These headers bring no clock, no file, no socket, no allocator.
CORE_HEADERS = ["stdint.h", "stdbool.h", "stddef.h", "string.h", "limits.h", "stdalign.h"]

# What the objects of the core may need from outside proto/ and consensus/: what the compiler
# itself calls, and comparisons of bytes.
CORE_SYMBOLS = ["memcpy", "memmove", "memset", "memcmp", "strncmp",
                "__memcpy_chk", "__memmove_chk", "__memset_chk",
                "__stack_chk_fail", "_GLOBAL_OFFSET_TABLE_"]

# Functions that nobody calls, and what is called instead.
FORBIDDEN = {
    "strcpy": "snprintf or memcpy with a length", "strcat": "snprintf",
    "strncpy": "memcpy with a length", "strncat": "snprintf", "stpcpy": "memcpy with a length",
    "sprintf": "snprintf", "vsprintf": "vsnprintf", "gets": "fgets",
    "alloca": "a bounded array or malloc", "system": "uv_spawn", "popen": "uv_spawn",
    "rand": "RAND_bytes", "srand": "RAND_bytes", "random": "RAND_bytes", "drand48": "RAND_bytes",
    "atoi": "number_parse", "atol": "number_parse", "atoll": "number_parse", "atof": "strtod",
    "scanf": "a parser", "sscanf": "a parser", "fscanf": "a parser",
    "strtok": "strcspn", "tmpnam": "mkstemp", "mktemp": "mkstemp", "tempnam": "mkstemp",
    "setjmp": "a result", "longjmp": "a result",
    "usleep": "a timer", "sleep": "a timer", "gmtime": "gmtime_r", "localtime": "localtime_r",
    "ctime": "strftime", "asctime": "strftime", "strerror_r": "strerror",
    "gethostbyname": "getaddrinfo",
}
# In tests only what overruns memory is forbidden.
FORBIDDEN_IN_TESTS = ["strcpy", "strcat", "stpcpy", "sprintf", "vsprintf", "gets", "alloca"]
# Exceptions: (file, function), with the reason.
FORBIDDEN_EXCEPT = {
    ("sequencer/cli/cmd_status.c", "sleep"): "--watch: a command without a loop waits a second",
    ("sequencer/cli/devnet_record.c", "sscanf"): "/proc/PID/stat, written by the kernel",
    ("sequencer/observe/process.c", "fscanf"): "/proc/self/statm, written by the kernel",
}

FUNCTION_LINES = 70
FILE_LINES = 700
FILE_LINES_LONG = 400
COLUMNS = 100

# Words that say "not finished".
UNFINISHED = ["TODO", "FIXME", "XXX", "HACK", "placeholder", "not implemented", "unimplemented"]

# Paths of one machine and names of registries have no place in the tree.
MACHINE = [r"/wor[k]/", r"/home/\w", r"/roo[t]/", r"/Users/", r"/mnt/\w",
           r"https?://\S*(npm|pypi|crates|debian|golang|maven)", r"//registry\.", r"\bartifactory"]
# …but here, with the reason.
MACHINE_EXCEPT = {
    "tests/lint/rules.py": "this table",
    "deploy/systemd/": "paths of the machine that the unit is installed on",
}

# Folders whose text nobody of this project wrote.
FOREIGN = ["tests/vectors/", "tests/interop/node_modules/", "tests/l1/node_modules/",
           "tests/engine/node_modules/"]
