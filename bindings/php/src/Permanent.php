<?php
declare(strict_types=1);

namespace Kvlight;

/** Thrown by a provider, or returned in place of a value: the key is not retried, whatever the retry settings say. */
class Permanent extends \RuntimeException
{
}
