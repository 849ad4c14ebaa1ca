/**
 * A loading cache: each key is loaded once and in batches, however many callers want it at the same time. Begin with {@link kvlight.Config};
 * {@link kvlight.Tasks} is a cache with a provider, {@link kvlight.Cache} one without.
 *
 * <p>The library's events arrive in a queue. One thread reads it, and runs no code of the program. Values are any objects, and stay in Java: the
 * library holds a number for each, and reports when nothing refers to the value any longer.
 */
package kvlight;
