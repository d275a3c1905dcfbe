# Every package comes from Debian 12; README.md says why each is here.
find_package(PkgConfig REQUIRED)
pkg_check_modules(LIBUV REQUIRED IMPORTED_TARGET libuv)
pkg_check_modules(OPENSSL REQUIRED IMPORTED_TARGET openssl)
pkg_check_modules(SECP256K1 REQUIRED IMPORTED_TARGET libsecp256k1)
pkg_check_modules(PROTOBUF_C REQUIRED IMPORTED_TARGET libprotobuf-c)
pkg_check_modules(JSON_C REQUIRED IMPORTED_TARGET json-c)
pkg_check_modules(CURL REQUIRED IMPORTED_TARGET libcurl)
pkg_check_modules(ZLIB REQUIRED IMPORTED_TARGET zlib)
pkg_check_modules(BROTLI REQUIRED IMPORTED_TARGET libbrotlienc libbrotlidec)
pkg_check_modules(YAML REQUIRED IMPORTED_TARGET yaml-0.1)
pkg_check_modules(JEMALLOC REQUIRED IMPORTED_TARGET jemalloc)
find_package(wslay CONFIG REQUIRED) # target: wslay
find_program(PROTOC_C NAMES protoc-c REQUIRED)
find_library(ROCKSDB_LIBRARY rocksdb REQUIRED)
find_package(Threads REQUIRED)
if(BATON_TESTS)
    pkg_check_modules(CMOCKA REQUIRED IMPORTED_TARGET cmocka)
endif()

# llhttp: Debian ships its C sources in package node-llhttp, no library.
find_path(LLHTTP_SOURCES NAMES llhttp.c PATHS /usr/share/llhttp NO_DEFAULT_PATH REQUIRED)
find_path(LLHTTP_INCLUDE NAMES llhttp.h PATHS /usr/include/llhttp /usr/share/include/llhttp
    /usr/share/llhttp NO_DEFAULT_PATH REQUIRED)
