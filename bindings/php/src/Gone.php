<?php
declare(strict_types=1);

namespace Kvlight;

/** As Permanent, where an older value is worth nothing either: no fallback serves in its place (stale.ttl_ms), and it leaves the cache. */
class Gone extends Permanent
{
}
