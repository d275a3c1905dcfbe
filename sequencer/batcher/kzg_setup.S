/* The trusted set-up as the program carries it: the file's text, from kzg_setup to kzg_setup_end. */
    .section .rodata
    .globl kzg_setup
    .globl kzg_setup_end
kzg_setup:
    .incbin BATON_KZG_SETUP
kzg_setup_end:
    .byte 0
    .section .note.GNU-stack,"",%progbits
