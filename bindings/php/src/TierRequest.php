<?php
declare(strict_types=1);

namespace Kvlight;

use FFI;
use FFI\CData;

/** @internal A request for the second tier. */
final class TierRequest
{
    private readonly FFI $ffi;
    private readonly int $kind;
    /** @var list<string> */
    private readonly array $keys;

    /**
     * @param CData $handle is borrowed, and valid until the next event is taken: call serve() before that.
     * @param \Closure $report is called with errors of the second tier.
     */
    public function __construct(
        private readonly Tasks $tasks,
        private readonly CData $handle,
        private readonly SecondTier|RedisTier $tier,
        private readonly ?\Closure $dump,
        private readonly ?\Closure $load,
        private readonly \Closure $report,
    ) {
        $this->ffi = Library::functions();
        $this->kind = $this->ffi->kvl_l2_request_kind($handle);
        $keys = [];
        $slices = $this->ffi->kvl_l2_request_keys($handle);
        for ($i = 0, $count = $this->ffi->kvl_l2_request_len($handle); $i < $count; $i++) {
            $slice = $slices[$i];
            $keys[] = $slice->len === 0 ? '' : FFI::string($slice->data, $slice->len);
        }
        $this->keys = $keys;
    }

    /** Serves the request, and finishes it in any case. */
    public function serve(): void
    {
        $this->ffi->kvl_l2_request_retain($this->handle);
        try {
            $this->tier instanceof RedisTier ? $this->serveByServer($this->tier) : match ($this->kind) {
                Native::L2_READ => $this->answer($this->tier->read($this->keys)),
                Native::L2_FILL, Native::L2_WRITE => $this->store(),
                Native::L2_REMOVE => $this->tier->remove($this->keys),
                Native::L2_CLEAR => $this->tier->clear(),
                default => throw new \LogicException("kvlight: a request of a later version: $this->kind"),
            };
        } catch (\Throwable $error) {
            $this->failAll();
            ($this->report)($error);
        } finally {
            $this->ffi->kvl_l2_request_finish($this->handle);
            $this->ffi->kvl_l2_request_release($this->handle);
        }
    }

    /** Lets a Redis or Valkey server serve the request. Its failures are not reported. */
    private function serveByServer(RedisTier $server): void
    {
        $isStore = $this->kind === Native::L2_FILL || $this->kind === Native::L2_WRITE;
        if ($isStore && array_filter(array_keys($this->keys), $this->encode(...)) === []) {
            return;
        }
        $found = $server->serve($this->handle);
        if ($found === null) {
            $this->failAll();
        }
        foreach ($found ?? [] as $at => $one) {
            $this->hit($at, $one);
        }
    }

    /** Fails all keys, or the clear. A read needs no call: finishing it fails the keys without an answer. */
    private function failAll(): void
    {
        if ($this->kind !== Native::L2_READ) {
            for ($at = 0; $at < max(count($this->keys), 1); $at++) {
                $this->ffi->kvl_l2_request_fail($this->handle, $at);
            }
        }
    }

    /** Checks the status of an answer. An answer that comes late or after the close is not the second tier's fault. */
    private function check(int $status): int
    {
        return in_array($status, [Native::ERR_ALREADY_ANSWERED, Native::ERR_CLOSED], true) ? Native::OK : Library::check($status);
    }

    private function answer(array $rows): void
    {
        foreach ($this->keys as $at => $key) {
            $row = $rows[$key] ?? null;
            match (true) {
                is_string($row) => $this->hit($at, TierFound::entry($row)),
                $row instanceof \Throwable => ($this->report)($row), // a key without an answer has failed
                $row === null => $this->miss($at, ''),
                !$row instanceof TierFound => throw new \TypeError(
                    'kvlight: read() returns a TierFound, a string, a Throwable or null for a key, not ' . get_debug_type($row)),
                $row->data !== null => $this->hit($at, $row),
                $row->isLeased => $this->check($this->ffi->kvl_l2_request_leased($this->handle, $at)),
                default => $this->miss($at, $row->token),
            };
        }
    }

    private function miss(int $at, string $token): void
    {
        $this->check($this->ffi->kvl_l2_request_miss($this->handle, $at, $token, strlen($token)));
    }

    private function hit(int $at, TierFound $found): void
    {
        $data = $found->data;
        $token = $found->token;
        $length = Library::variable('size_t');
        $status = $this->check($this->ffi->kvl_l2_request_payload($this->handle, $at, $data, strlen($data), Library::variable('uint8_t *'), $length));
        if ($status === Native::OK) {
            $value = $this->decode($length[0] === 0 ? '' : substr($data, -$length[0]));
            // Strings are stored as bytes, not as objects.
            if ($value !== null && !is_string($value)) {
                $this->tasks->withValue($value, fn (CData $handle) => $this->check($this->ffi->kvl_l2_request_hit_object(
                    $this->handle, $at, $data, strlen($data), $found->ttlLeftMs, $token, strlen($token), $handle)));
                return;
            }
        }
        $isEntry = $status === Native::VALUE || $status === Native::NULL;
        $this->check($this->ffi->kvl_l2_request_hit(
            $this->handle, $at, $data, $isEntry ? strlen($data) : 0, $found->ttlLeftMs, $token, strlen($token)));
    }

    private function decode(string $payload): mixed
    {
        try {
            return $this->load === null ? null : ($this->load)($payload);
        } catch (\Throwable $error) {
            ($this->report)($error);
            return null;
        }
    }

    private function store(): void
    {
        $places = array_values(array_filter(array_keys($this->keys), $this->encode(...)));
        if ($places === []) {
            return;
        }
        $entries = array_map($this->entry(...), $places);
        if ($this->kind === Native::L2_WRITE) {
            $this->tier->write($entries);
            return;
        }
        $stored = $this->tier->fill($entries);
        if ($stored === null) {
            return;
        }
        if (count($stored) !== count($places)) {
            throw new \TypeError('kvlight: fill() returned ' . count($stored) . ' results for ' . count($places) . ' entries');
        }
        foreach (array_values($stored) as $nth => $isStored) {
            if (!$isStored) {
                $this->check($this->ffi->kvl_l2_request_refused($this->handle, $places[$nth]));
            }
        }
    }

    /** If the value to be stored is an object, sets its bytes. Returns false if they cannot be made: the entry is then refused, and must be left out. */
    private function encode(int $at): bool
    {
        $out = Library::variable('kvl_value_t *');
        if ($this->check($this->ffi->kvl_l2_request_value($this->handle, $at, $out)) !== Native::VALUE) {
            return true;
        }
        $value = $this->tasks->takeValue($out[0]);
        if (is_string($value)) {
            return true;
        }
        try {
            $bytes = $this->dump === null ? null : ($this->dump)($value);
            if ($bytes !== null && !is_string($bytes)) {
                throw new \TypeError('kvlight: dump returns a string, not ' . get_debug_type($bytes));
            }
        } catch (\Throwable $error) {
            ($this->report)($error);
            $bytes = null;
        }
        if ($bytes === null) {
            $this->check($this->ffi->kvl_l2_request_refused($this->handle, $at));
            return false;
        }
        $this->check($this->ffi->kvl_l2_request_set_payload($this->handle, $at, $bytes, strlen($bytes)));
        return true;
    }

    private function entry(int $at): TierEntry
    {
        // Output parameters are per type, so the two pointers, and the two lengths, have types that differ in name.
        [$data, $token] = [Library::variable('const uint8_t *'), Library::variable('uint8_t *')];
        [$length, $tokenLength, $ttl] = [Library::variable('size_t'), Library::variable('uintptr_t'), Library::variable('int64_t')];
        Library::check($this->ffi->kvl_l2_request_entry($this->handle, $at, $data, $length, $ttl, $token, $tokenLength));
        $text = static fn (CData $bytes, CData $size) => $size[0] === 0 ? '' : FFI::string($bytes[0], $size[0]);
        return new TierEntry($this->keys[$at], $text($data, $length), $ttl[0], $text($token, $tokenLength));
    }
}
