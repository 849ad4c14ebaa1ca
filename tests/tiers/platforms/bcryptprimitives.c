/* For tests under wine only, installed among wine's libraries: older versions of wine have no bcryptprimitives.dll, from which the Rust
 * standard library takes its random numbers. This one calls bcrypt.dll, which they have. */
#include <windows.h>
#include <bcrypt.h>

__declspec(dllexport) BOOL WINAPI ProcessPrng(BYTE *bytes, SIZE_T count)
{
    return BCryptGenRandom(NULL, bytes, (ULONG)count, BCRYPT_USE_SYSTEM_PREFERRED_RNG) == 0;
}
