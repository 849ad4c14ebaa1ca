<?php
declare(strict_types=1);

namespace Kvlight;

/** Like Permanent, and also ends the fallback: an expired value of the key is removed from the cache, and not served (stale.ttl_ms). */
class Gone extends Permanent
{
}
