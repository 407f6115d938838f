/* The matrix unit (AMX): eight registers of 16 rows of 64 bytes.
 *
 * Assembly, as intrinsics hide from compilers what memory they touch. */
#ifndef HEALER_AMX_H
#define HEALER_AMX_H

#include <stdint.h>

#pragma GCC visibility push(hidden)
/* Whether the processor has it, and the system lets this process use its registers. */
int amx_usable(void);
#pragma GCC visibility pop

#define AMX_INLINE static inline __attribute__((always_inline))

typedef struct {
    uint8_t palette, start, reserved[14];
    uint16_t bytes[16];
    uint8_t rows[16];
} Shapes;

/* Returns the shapes that were there, which must be put back: oneDNN trusts its own. */
AMX_INLINE Shapes use_full_registers(void) {
    Shapes before, ours = {.palette = 1};
    for (int i = 0; i < 8; i++) ours.bytes[i] = 64, ours.rows[i] = 16;
    __asm__ volatile("sttilecfg %0" : "=m"(before));
    __asm__ volatile("ldtilecfg %0" ::"m"(ours));
    return before;
}

/* Of palette 0: releases the registers. */
AMX_INLINE void put_back(Shapes before) { __asm__ volatile("ldtilecfg %0" ::"m"(before)); }

#define LOAD(register, from, stride)                           \
    __asm__ volatile("tileloadd (%0, %1), %%tmm" #register     \
                     :: "r"(from), "r"((long)(stride)) : "memory")
#define STORE(register, to)                                    \
    __asm__ volatile("tilestored %%tmm" #register ", (%0, %1)" \
                     :: "r"(to), "r"(64L) : "memory")
#define ZERO(register) __asm__ volatile("tilezero %%tmm" #register ::)
/* Adds the product of two registers of bfloat16. */
#define ADD_BFLOAT16(to, a, b) __asm__ volatile("tdpbf16ps %%tmm" #b ", %%tmm" #a ", %%tmm" #to ::)
/* The same of bytes: unsigned in `a`, signed in `b`. */
#define ADD_BYTES(to, a, b) __asm__ volatile("tdpbusd %%tmm" #b ", %%tmm" #a ", %%tmm" #to ::)

#endif
