# KZG for posting in blobs: c-kzg and the blst inside it, compiled from the sources of the npm package
# that deploy/sources pins by digest (deploy/install-packages blobs fetches it). Not our code, so
# without our warnings and sanitizers. The set-up of the mainnet ceremony becomes part of the program.
set(BATON_KZG_SOURCES "${PROJECT_SOURCE_DIR}/deploy/sources/node_modules/c-kzg/deps"
    CACHE PATH "Sources of c-kzg: holds blst/ and c-kzg/")
set(blobs_found OFF)
if(EXISTS "${BATON_KZG_SOURCES}/c-kzg/ckzg.c")
    set(blobs_found ON)
endif()
option(WITH_BLOBS "Post segments in blobs (KZG)" ${blobs_found})

if(WITH_BLOBS)
    if(NOT blobs_found)
        message(FATAL_ERROR "WITH_BLOBS needs c-kzg, and ${BATON_KZG_SOURCES} does not have it: "
            "deploy/install-packages blobs fetches it; -DWITH_BLOBS=OFF builds without blobs")
    endif()
    enable_language(ASM)
    add_library(kzg STATIC
        ${BATON_KZG_SOURCES}/blst/src/server.c ${BATON_KZG_SOURCES}/blst/build/assembly.S
        ${BATON_KZG_SOURCES}/c-kzg/ckzg.c ${PROJECT_SOURCE_DIR}/sequencer/batcher/kzg_setup.S)
    target_include_directories(kzg SYSTEM
        PUBLIC ${BATON_KZG_SOURCES}/c-kzg ${BATON_KZG_SOURCES}/blst/bindings)
    # Portable: whether the processor has the faster instructions is asked when it runs.
    target_compile_definitions(kzg PRIVATE __BLST_PORTABLE__
        BATON_KZG_SETUP="${BATON_KZG_SOURCES}/c-kzg/trusted_setup.txt")
    target_compile_options(kzg PRIVATE -O2)
    set_target_properties(kzg PROPERTIES C_EXTENSIONS ON)
    set_source_files_properties(${PROJECT_SOURCE_DIR}/sequencer/batcher/kzg_setup.S PROPERTIES
        OBJECT_DEPENDS ${BATON_KZG_SOURCES}/c-kzg/trusted_setup.txt)
endif()
