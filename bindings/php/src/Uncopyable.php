<?php
declare(strict_types=1);

namespace Kvlight;

/** @internal For classes that own a handle of the library: a copy would free it a second time. */
trait Uncopyable
{
    /** whether this object is a copy that was refused: its destructor must free nothing */
    private bool $isCopy = false;

    public function __clone()
    {
        $this->isCopy = true;
        throw new \LogicException('kvlight: a ' . self::class . ' cannot be cloned: it owns a handle of the library');
    }

    public function __serialize(): array
    {
        throw new \LogicException('kvlight: a ' . self::class . ' cannot be serialized: it owns a handle of the library');
    }

    public function __unserialize(array $data): void
    {
        $this->isCopy = true;
        throw new \LogicException('kvlight: a ' . self::class . ' cannot be unserialized: it owns a handle of the library');
    }
}
