using System.Collections.Generic;
using System.Threading;

namespace Kvlight
{
    /// <summary>The program's objects, by the numbers under which the library knows them. Any thread may look one up while others add and remove: a
    /// lookup takes no lock. The lower 32 bits of a number are a place, counted from 1; the upper 32 bits say how often that place was used before. So
    /// a number does not return until its place has been used 2^32 times.</summary>
    internal sealed class ObjectTable
    {
        private sealed class Kept
        {
            internal readonly long Number;
            internal readonly object Value;

            internal Kept(long number, object value)
            {
                Number = number;
                Value = value;
            }
        }

        private const int FirstChunkSize = 256;

        /// <summary>Chunk i has room for FirstChunkSize &lt;&lt; i objects, and is never moved, so that a lookup can read it without the lock.</summary>
        private readonly Kept[][] chunks = new Kept[24][];

        /// <summary>The next number of each place that has become free. It is also the lock for adding and removing.</summary>
        private readonly Stack<long> free = new Stack<long>();

        /// <summary>How many places have ever been used.</summary>
        private int places;

        /// <summary>Adds an object; returns its number, which is not 0.</summary>
        internal long Add(object value)
        {
            lock (free)
            {
                long number;
                if (free.Count > 0)
                {
                    number = free.Pop();
                }
                else
                {
                    int chunk = ChunkOf(places);
                    if (chunks[chunk] == null)
                        Volatile.Write(ref chunks[chunk], new Kept[FirstChunkSize << chunk]);
                    number = ++places;
                }
                Volatile.Write(ref Slot(number), new Kept(number, value));
                return number;
            }
        }

        /// <summary>Returns the object of a number; null if it was removed, or for 0.</summary>
        internal object Find(long number)
        {
            if (number == 0)
                return null;
            Kept kept = Volatile.Read(ref Slot(number));
            return kept != null && kept.Number == number ? kept.Value : null;
        }

        /// <summary>Removes and returns an object; null if it was removed before, or for 0.</summary>
        internal object Remove(long number)
        {
            lock (free)
            {
                object value = Find(number);
                if (value != null)
                {
                    Volatile.Write(ref Slot(number), null);
                    free.Push(number + (1L << 32));
                }
                return value;
            }
        }

        /// <summary>The chunk of a place, here counted from 0.</summary>
        private static int ChunkOf(int place)
        {
            int chunk = 0;
            for (int size = place / FirstChunkSize + 1; size > 1; size >>= 1)
                chunk++;
            return chunk;
        }

        private ref Kept Slot(long number)
        {
            int place = (int)number - 1;
            int chunk = ChunkOf(place);
            return ref Volatile.Read(ref chunks[chunk])[place - FirstChunkSize * ((1 << chunk) - 1)];
        }
    }
}
