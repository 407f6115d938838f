#include "amx.h"

#if defined(__x86_64__) && __has_include(<amxbf16intrin.h>) && !defined(HEALER_WITHOUT_AMX)

#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

int amx_usable(void) {
    enum { REQUEST = 0x1023, REGISTERS = 18 }; /* ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA */
    unsigned a, b, c, d, a1, b1, c1, d1;
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("avx512bw") || !__builtin_cpu_supports("avx512dq") ||
        !__builtin_cpu_supports("avx512vl") || !__builtin_cpu_supports("avx512vnni") ||
        !__get_cpuid_count(7, 0, &a, &b, &c, &d) || !__get_cpuid_count(7, 1, &a1, &b1, &c1, &d1))
        return 0;
    int matrices = d >> 25 & d >> 24 & d >> 22 & 1; /* amx_int8, amx_tile, amx_bf16 */
    int rounds = a1 >> 5 & 1;                       /* avx512_bf16 */
    return matrices && rounds && syscall(SYS_arch_prctl, REQUEST, REGISTERS) == 0;
}

#else /* another processor, or a compiler older than AMX */

int amx_usable(void) { return 0; }

#endif
