<?php
declare(strict_types=1);

namespace Kvlight;

/** An error of the library. Its code is the status. What a provider throws reaches every waiting caller unchanged. */
final class Error extends \RuntimeException
{
    /** The name of the status, such as "KVL_ERR_TIMEOUT". */
    public readonly string $name;

    /** @param ?\Throwable $previous the exception of the last attempt, if attempts had failed before, say, a timeout */
    public function __construct(int $status, ?string $message = null, ?\Throwable $previous = null)
    {
        $ffi = Library::functions();
        $this->name = $ffi->kvl_status_name($status);
        $message = $message === null || $message === '' ? $ffi->kvl_status_message($status) : $message;
        parent::__construct("$this->name: $message", $status, $previous);
    }
}
