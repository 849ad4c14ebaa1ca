<?php
declare(strict_types=1);

namespace Kvlight;

/** An error of the library's; its code is the status. What a provider throws arrives as it is, at everybody who waited. */
final class Error extends \RuntimeException
{
    /** "KVL_ERR_TIMEOUT" */
    public readonly string $name;

    /** @param ?\Throwable $previous what the provider's last attempt had failed with when time ran out or the fetch was ended */
    public function __construct(int $status, ?string $message = null, ?\Throwable $previous = null)
    {
        $ffi = Library::functions();
        $this->name = $ffi->kvl_status_name($status);
        $message = $message === null || $message === '' ? $ffi->kvl_status_message($status) : $message;
        parent::__construct("$this->name: $message", $status, $previous);
    }
}
