<?php
declare(strict_types=1);

namespace Kvlight;

/** Like Permanent, and an older value is invalid too: it is removed from the cache and not served as a fallback (stale.ttl_ms). */
class Gone extends Permanent
{
}
