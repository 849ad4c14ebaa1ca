package kvlight

// #include "shim.h"
import "C"

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"
)

// SecondTier is a store behind the cache that several processes may share: a cache server, a database, a folder. Keys that are not in the cache are
// looked up in it before the provider is called, and it receives what was loaded and put. Its methods are called from several goroutines at a time.
// The context ends when the cache is closed. An error or a panic of a method, or the end of its goroutine, is a failure of the second tier alone:
// after a Read the provider is called, and a Write, a Remove or a Clear is sent again.
type SecondTier interface {
	// Abilities states what the second tier can do. It is called once.
	Abilities() TierAbilities
	// Read looks keys up. A key that is not in the returned map was not found.
	Read(ctx context.Context, keys []string) (map[string]TierFound, error)
	// Fill stores what was loaded: with IsConditional, only the entries whose token still belongs to their key. It returns for each entry whether
	// it was stored; nil: all were.
	Fill(ctx context.Context, entries []TierEntry) ([]bool, error)
	// Write stores what was put.
	Write(ctx context.Context, entries []TierEntry) error
	// Remove removes keys, some of which may not exist.
	Remove(ctx context.Context, keys []string) error
	// Clear removes all keys.
	Clear(ctx context.Context) error
}

// TierAbilities is what a second tier can do beyond reading and writing. With both abilities, no older load ever replaces a newer write, in whichever
// process.
type TierAbilities struct {
	// IsConditional means that Fill stores an entry only if its token still belongs to the key.
	IsConditional bool
	// GrantsLeases means that Read grants a lease (a token) for a key without an entry, to one reader at a time.
	GrantsLeases bool
}

// TierTTLNever, as the time until an entry of a second tier expires, stands for never.
const TierTTLNever = -time.Millisecond

// TierEntry is what is to be stored under a key of a second tier.
type TierEntry struct {
	Key string
	// Data is to be stored as it is.
	Data []byte
	// TTL is the time until the entry expires, from now on; TierTTLNever for never. An entry that is kept longer never expires, since each hit
	// begins its TTL anew.
	TTL time.Duration
	// Token is, for Fill, the token that the read of the key returned.
	Token []byte
}

// TierFound is the result of looking a key up in a second tier.
type TierFound struct {
	// Data is what TierEntry.Data was when the entry was stored; nil if there is no entry.
	Data []byte
	// TTLLeft is the time until the entry expires; TierTTLNever for never, 0 if it is not known. Any other negative time means that the entry
	// has expired.
	TTLLeft time.Duration
	// Token identifies this version of the entry, so that a fill can replace it; without an entry it is the lease, if one was granted.
	Token []byte
	// IsLeased reports that there is no entry, and that another process has the lease: the key is looked up again, for at most "l2.wait_ms".
	IsLeased bool
	// Err is set if the second tier has failed for this key.
	Err error
}

// Sharing is a second tier and how values are stored in it.
type Sharing[V any] struct {
	Tier SecondTier
	// URL is set instead of a Tier: the URL of a Redis or Valkey server, as in "redis://user:password@host:6379/0?prefix=shop". It needs libkvlight_redis;
	// the options of the URL are those of kvlight_redis.h.
	URL string
	// Encode converts a value to bytes, and Decode converts them back. A value for which Encode fails stays in this process;
	// an entry for which Decode fails counts as not found. A panic is a failure too.
	Encode func(V) ([]byte, error)
	Decode func([]byte) (V, error)
	// Failed is called with the errors of the second tier, of Encode and of Decode; nil logs them. A panic in it is logged.
	Failed func(error)

	redis *redisTier
}

// ShareThrough sets a second tier.
func ShareThrough[V any](sharing Sharing[V]) Option[V] {
	return func(e *engine[V]) {
		own := sharing // each engine has a connection of its own
		e.sharing = &own
	}
}

var errSharing = errors.New("kvlight: a Sharing needs either a Tier or a URL, and the functions Encode and Decode")

func (s *Sharing[V]) apply(config *C.kvl_config_t) error {
	if (s.Tier == nil) == (s.URL == "") || s.Encode == nil || s.Decode == nil {
		return errSharing
	}
	if s.URL != "" {
		redis, err := openRedis(s.URL)
		if err != nil {
			return err
		}
		s.redis = redis
		return check(C.go_l2(config, C.KVL_L2_F_OBJECTS|C.KVL_L2_F_CONDITIONAL|C.KVL_L2_F_LEASES))
	}
	abilities, can := C.uint32_t(C.KVL_L2_F_OBJECTS), s.Tier.Abilities()
	if can.IsConditional {
		abilities |= C.KVL_L2_F_CONDITIONAL
	}
	if can.GrantsLeases {
		abilities |= C.KVL_L2_F_LEASES
	}
	return check(C.go_l2(config, abilities))
}

// report passes an error to Failed. What Failed does, even if it panics or ends its goroutine, affects no request.
func (s *Sharing[V]) report(err error) {
	failure := contain("the function Failed of a Sharing", func() error {
		if s.Failed != nil {
			s.Failed(err)
		} else {
			log.Printf("kvlight: the second tier failed: %v", err)
		}
		return nil
	})
	if failure != nil {
		log.Print(failure)
	}
}

// tierRequest is a request for the second tier.
type tierRequest[V any] struct {
	engine *engine[V]
	handle *C.kvl_l2_request_t
	kind   C.uint32_t
	keys   []string
}

func (e *engine[V]) startTierRequest(handle *C.kvl_l2_request_t) {
	r := &tierRequest[V]{engine: e, handle: C.kvl_l2_request_retain(handle), kind: C.kvl_l2_request_kind(handle)}
	for i := C.size_t(0); i < C.kvl_l2_request_len(handle); i++ {
		key := C.go_l2_key(handle, i)
		r.keys = append(r.keys, stringOf(key.data, key.len))
	}
	go r.serve()
}

// serve serves the request. Even if that fails, the request is finished.
func (r *tierRequest[V]) serve() {
	isDone := false
	err := contain("the second tier", func() (err error) {
		if r.engine.redis != nil {
			isDone, err = r.serveByServer()
			return err
		}
		return r.serveByTier(r.engine.tierContext)
	})
	if err != nil {
		r.engine.sharing.report(err)
	}
	if err != nil || (r.engine.redis != nil && !isDone) {
		r.fail()
	}
	C.kvl_l2_request_finish(r.handle)
	C.kvl_l2_request_release(r.handle)
}

// serveByServer lets a Redis or Valkey server serve the request. It returns whether that succeeded; a failure of the server is not reported.
func (r *tierRequest[V]) serveByServer() (bool, error) {
	if r.kind == C.KVL_L2_FILL || r.kind == C.KVL_L2_WRITE {
		encoded := 0
		for at := range r.keys {
			if r.encode(C.size_t(at)) {
				encoded++
			} else {
				C.kvl_l2_request_refused(r.handle, C.size_t(at))
			}
		}
		if encoded == 0 {
			return true, nil
		}
	}
	return r.engine.redis.serve(r.handle, r.hit)
}

// fail fails all keys, or the clear. A read needs no call: finishing it fails the keys without an answer.
func (r *tierRequest[V]) fail() {
	if r.kind == C.KVL_L2_READ {
		return
	}
	C.kvl_l2_request_fail(r.handle, 0)
	for i := 1; i < len(r.keys); i++ {
		C.kvl_l2_request_fail(r.handle, C.size_t(i))
	}
}

func (r *tierRequest[V]) serveByTier(ctx context.Context) error {
	tier := r.engine.sharing.Tier
	switch r.kind {
	case C.KVL_L2_READ:
		found, err := tier.Read(ctx, append([]string(nil), r.keys...))
		for i, key := range r.keys {
			if err != nil {
				break
			}
			err = r.answer(C.size_t(i), found[key])
		}
		return err
	case C.KVL_L2_REMOVE:
		return tier.Remove(ctx, append([]string(nil), r.keys...))
	case C.KVL_L2_CLEAR:
		return tier.Clear(ctx)
	}
	places, entries, err := r.entries()
	if err != nil || len(entries) == 0 {
		return err
	}
	if r.kind == C.KVL_L2_WRITE {
		return tier.Write(ctx, entries)
	}
	stored, err := tier.Fill(ctx, entries)
	if err != nil || stored == nil {
		return err
	}
	if len(stored) != len(entries) {
		return fmt.Errorf("kvlight: Fill returned %d results for %d entries", len(stored), len(entries))
	}
	for i, isStored := range stored {
		if !isStored {
			C.kvl_l2_request_refused(r.handle, places[i])
		}
	}
	return nil
}

// checkAnswer returns the error of an answer's status. An answer that comes late or after the close is not the second tier's fault.
func checkAnswer(status C.kvl_status_t) error {
	if status == C.KVL_ERR_CLOSED || status == C.KVL_ERR_ALREADY_ANSWERED {
		return nil
	}
	return check(status)
}

// addressOf copies bytes, with one more byte behind them so that there is always an address. It returns the address and their number.
func addressOf(bytes []byte) (*C.uint8_t, C.size_t) {
	copied := append(append(make([]byte, 0, len(bytes)+1), bytes...), 0)
	return (*C.uint8_t)(&copied[0]), C.size_t(len(bytes))
}

func (r *tierRequest[V]) answer(i C.size_t, found TierFound) error {
	token, tokenLen := addressOf(found.Token)
	switch {
	case found.Err != nil:
		r.engine.sharing.report(found.Err)
		return checkAnswer(C.kvl_l2_request_fail(r.handle, i))
	case found.Data != nil:
		return r.hit(i, found)
	case found.IsLeased:
		return checkAnswer(C.kvl_l2_request_leased(r.handle, i))
	default:
		return checkAnswer(C.kvl_l2_request_miss(r.handle, i, token, tokenLen))
	}
}

func (r *tierRequest[V]) hit(i C.size_t, found TierFound) error {
	data, length := addressOf(found.Data)
	token, tokenLen := addressOf(found.Token)
	left := milliseconds(found.TTLLeft, C.KVL_L2_TTL_UNKNOWN, 0)
	if found.TTLLeft == TierTTLNever {
		left = C.KVL_TTL_NEVER
	}
	var payload C.size_t
	switch status := C.go_l2_payload(r.handle, i, data, length, &payload); status {
	case C.KVL_OK:
		value, err := r.decode(found.Data[len(found.Data)-int(payload):])
		if err == nil {
			handle, err := r.engine.hold(value)
			if err != nil {
				return nil // the cache is closed
			}
			defer C.kvl_value_release(handle)
			return checkAnswer(C.kvl_l2_request_hit_object(r.handle, i, data, length, left, token, tokenLen, handle))
		}
		r.engine.sharing.report(err)
		length = 0
	case C.KVL_NULL:
	default:
		length = 0 // not an entry of this key with an object: a miss
	}
	return checkAnswer(C.kvl_l2_request_hit(r.handle, i, data, length, left, token, tokenLen))
}

func (r *tierRequest[V]) decode(payload []byte) (value V, err error) {
	err = contain("the function Decode of a Sharing", func() (err error) {
		value, err = r.engine.sharing.Decode(append([]byte{}, payload...))
		return err
	})
	return value, err
}

// entries returns what is to be stored, and the places of these entries in the request. What cannot be encoded is refused and left out.
func (r *tierRequest[V]) entries() (places []C.size_t, entries []TierEntry, err error) {
	for at, key := range r.keys {
		i := C.size_t(at)
		if !r.encode(i) {
			C.kvl_l2_request_refused(r.handle, i)
			continue
		}
		var data, token C.kvl_slice_t
		var ttl C.int64_t
		if err := check(C.go_l2_entry(r.handle, i, &data, &ttl, &token)); err != nil {
			return nil, nil, err
		}
		places = append(places, i)
		entries = append(entries, TierEntry{key, []byte(stringOf(data.data, data.len)), durationOf(ttl), []byte(stringOf(token.data, token.len))})
	}
	return places, entries, nil
}

// encode sets the bytes of the i-th value. It returns false if they cannot be made.
func (r *tierRequest[V]) encode(i C.size_t) bool {
	var handle *C.kvl_value_t
	object := C.go_l2_object(r.handle, i, &handle)
	if object == 0 {
		return true // null
	}
	value := r.engine.objectValue(object)
	C.kvl_value_release(handle)
	var payload []byte
	err := contain("the function Encode of a Sharing", func() (err error) {
		payload, err = r.engine.sharing.Encode(value)
		return err
	})
	if err != nil {
		r.engine.sharing.report(err)
		return false
	}
	data, length := addressOf(payload)
	return C.kvl_l2_request_set_payload(r.handle, i, data, length) == C.KVL_OK
}
