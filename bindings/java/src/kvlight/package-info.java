/**
 * A loading cache: each key is loaded once and in batches, however many callers want it at the same time. {@link kvlight.Config} is the beginning;
 * {@link kvlight.Tasks} is a cache with a provider, {@link kvlight.Cache} one without.
 *
 * <p>The library's events arrive in a queue that one thread reads, which runs no code of the program. Values are any objects, and stay in Java: the
 * library holds a number for each, and reports when nothing refers to it any longer.
 */
package kvlight;
