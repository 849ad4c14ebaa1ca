<?php
declare(strict_types=1);

namespace Kvlight;

/** A provider throws it, or returns it in place of a value, so that the key is not retried, whatever the retry settings say. */
class Permanent extends \RuntimeException
{
}
