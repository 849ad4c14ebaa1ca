<?php
declare(strict_types=1);

namespace Kvlight;

/** Thrown by a provider, or put in a value's place: trying again is pointless, whatever the retry settings say. */
class Permanent extends \RuntimeException
{
}
