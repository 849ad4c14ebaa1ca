<?php
declare(strict_types=1);

namespace Kvlight;

/** Thrown by a provider, or returned in place of a value, to prevent retries of the key, whatever the retry settings say. */
class Permanent extends \RuntimeException
{
}
