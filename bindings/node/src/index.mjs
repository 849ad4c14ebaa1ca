// The same module for import: there is one of it, however it is loaded.

import kvlight from './index.cjs';

export const { Cache, GoneError, K, KvlightError, PermanentError, RetryAfterError, Tasks, version } = kvlight;
