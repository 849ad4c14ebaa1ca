<?php
declare(strict_types=1);

namespace Kvlight;

use FFI;
use FFI\CData;

use function count;
use function in_array;
use function is_string;
use function strlen;

/** @internal A request for the second tier. */
final class TierRequest
{
    use Uncopyable;

    private readonly FFI $ffi;
    private readonly int $kind;
    /** @var list<string> */
    private readonly array $keys;
    private bool $isEnded = false;

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
            $keys[] = Library::text($slice->data, $slice->len);
        }
        $this->keys = $keys;
    }

    /** Serves the request, and finishes it in any case. */
    public function serve(): void
    {
        try {
            $this->ffi->kvl_l2_request_retain($this->handle);
            $this->tier instanceof RedisTier ? $this->serveByServer($this->tier) : match ($this->kind) {
                Native::L2_READ => $this->read(),
                Native::L2_FILL, Native::L2_WRITE => $this->store(),
                Native::L2_REMOVE => $this->tier->remove($this->keys),
                Native::L2_CLEAR => $this->tier->clear(),
                default => throw new \LogicException("kvlight: a request of a later version: $this->kind"),
            };
            $this->end(); // also here, as in Tasks::poll()
        } catch (\Throwable $error) {
            $this->failAll();
            ($this->report)($error);
        } finally {
            $this->end();
        }
    }

    private function end(): void
    {
        if (!$this->isEnded) {
            $this->isEnded = true;
            $this->ffi->kvl_l2_request_finish($this->handle);
            $this->ffi->kvl_l2_request_release($this->handle);
        }
    }

    /** Lets a Redis or Valkey server serve the request. Its failures are not reported. */
    private function serveByServer(RedisTier $server): void
    {
        $isStore = $this->kind === Native::L2_FILL || $this->kind === Native::L2_WRITE;
        if ($isStore && $this->placesToStore() === []) {
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
            for ($at = 0, $count = max(count($this->keys), 1); $at < $count; $at++) {
                $this->ffi->kvl_l2_request_fail($this->handle, $at);
            }
        }
    }

    /** Checks the status of an answer. An answer that comes late or after the close is not the second tier's fault. */
    private function check(int $status): int
    {
        return in_array($status, [Native::ERR_ALREADY_ANSWERED, Native::ERR_CLOSED], true) ? Native::OK : Library::check($status);
    }

    private function read(): void
    {
        $rows = $this->tier->read($this->keys);
        foreach ($this->keys as $at => $key) {
            $row = $rows[$key] ?? null;
            if (is_string($row)) {
                $row = TierFound::entry($row);
            }
            match (true) {
                $row instanceof \Throwable => ($this->report)($row), // a key without an answer has failed
                $row === null => $this->miss($at, ''),
                !$row instanceof TierFound => throw new \TypeError(
                    'kvlight: read() returns a TierFound, a string, a Throwable or null for a key, not ' . get_debug_type($row)),
                $row->data !== null => $this->hit($at, $row),
                $row->isLeased => $this->leased($at),
                default => $this->miss($at, $row->token),
            };
        }
    }

    private function miss(int $at, string $token): void
    {
        $status = $this->ffi->kvl_l2_request_miss($this->handle, $at, $token, strlen($token));
        $this->check($status);
    }

    private function leased(int $at): void
    {
        $status = $this->ffi->kvl_l2_request_leased($this->handle, $at);
        $this->check($status);
    }

    private function hit(int $at, TierFound $found): void
    {
        $data = $found->data;
        $token = $found->token;
        $start = Library::take('uint8_t *');
        $length = Library::take('size_t');
        $status = $this->ffi->kvl_l2_request_payload($this->handle, $at, $data, strlen($data), $start, $length);
        $this->check($status);
        $payload = $status !== Native::OK || $length[0] === 0 ? '' : substr($data, -$length[0]);
        Library::giveBack('uint8_t *', $start);
        Library::giveBack('size_t', $length);
        if ($status === Native::OK) {
            $value = $this->decode($payload);
            // Strings are stored as bytes, not as objects.
            if ($value !== null && !is_string($value)) {
                $status = $this->tasks->withValue($value, fn (CData $handle) => $this->ffi->kvl_l2_request_hit_object(
                    $this->handle, $at, $data, strlen($data), $found->ttlLeftMs, $token, strlen($token), $handle));
                $this->check($status);
                return;
            }
        }
        $size = $status === Native::VALUE || $status === Native::NULL ? strlen($data) : 0;
        $status = $this->ffi->kvl_l2_request_hit($this->handle, $at, $data, $size, $found->ttlLeftMs, $token, strlen($token));
        $this->check($status);
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
        $places = $this->placesToStore();
        if ($places === []) {
            return;
        }
        $entries = [];
        foreach ($places as $at) {
            $entries[] = $this->entry($at);
        }
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
                $this->refuse($places[$nth]);
            }
        }
    }

    private function refuse(int $at): void
    {
        $status = $this->ffi->kvl_l2_request_refused($this->handle, $at);
        $this->check($status);
    }

    /**
     * Sets the bytes of the values that are objects. Returns the places of the keys that have bytes.
     *
     * @return list<int>
     */
    private function placesToStore(): array
    {
        $places = [];
        foreach ($this->keys as $at => $key) {
            if ($this->encode($at)) {
                $places[] = $at;
            }
        }
        return $places;
    }

    /** If the value to be stored is an object, sets its bytes. Returns false if they cannot be made: the entry is then refused, and must be left out. */
    private function encode(int $at): bool
    {
        $value = Library::using(
            'kvl_value_t *',
            'kvl_value_release',
            function (CData $out) use ($at): int {
                $status = $this->ffi->kvl_l2_request_value($this->handle, $at, $out);
                return $this->check($status);
            },
            fn (?CData $handle, int $status) => $status === Native::VALUE ? $this->tasks->valueOf($handle) : '',
        );
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
            $this->refuse($at);
            return false;
        }
        $status = $this->ffi->kvl_l2_request_set_payload($this->handle, $at, $bytes, strlen($bytes));
        $this->check($status);
        return true;
    }

    private function entry(int $at): TierEntry
    {
        // Library keeps one output parameter of each type, so the two pointers, and the two lengths, have types that differ in name.
        $types = ['const uint8_t *', 'size_t', 'int64_t', 'uint8_t *', 'uintptr_t'];
        [$data, $length, $ttl, $token, $tokenLength] = $outs = array_map(Library::take(...), $types);
        $status = $this->ffi->kvl_l2_request_entry($this->handle, $at, $data, $length, $ttl, $token, $tokenLength);
        Library::check($status);
        $content = Library::text($data[0], $length[0]);
        $tokenText = Library::text($token[0], $tokenLength[0]);
        $entry = new TierEntry($this->keys[$at], $content, $ttl[0], $tokenText);
        array_map(Library::giveBack(...), $types, $outs);
        return $entry;
    }
}
