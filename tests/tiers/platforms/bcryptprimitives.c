/* For tests under wine alone, and put beside the program there: older wines have no bcryptprimitives.dll, from which the standard library
 * of Rust takes its random numbers. This one asks the library that they do have. */
#include <windows.h>
#include <bcrypt.h>

__declspec(dllexport) BOOL WINAPI ProcessPrng(BYTE *bytes, SIZE_T count)
{
    return BCryptGenRandom(NULL, bytes, (ULONG)count, BCRYPT_USE_SYSTEM_PREFERRED_RNG) == 0;
}
