// The ES module: import and require share one instance.

import kvlight from './index.cjs';

export const { Cache, GoneError, K, KvlightError, PermanentError, RetryAfterError, Tasks, version } = kvlight;
