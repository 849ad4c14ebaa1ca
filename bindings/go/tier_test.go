package kvlight_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"runtime"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	kvlight "github.com/kvlight/kvlight/bindings/go"
)

// memoryTier is a store in memory that grants leases and compares tokens.
type memoryTier struct {
	mu     sync.Mutex
	rows   map[string]*memoryRow
	tokens int
	fills  int
	clears int
	// Functions that replace the methods of the same names; nil: not replaced.
	read  func(ctx context.Context, keys []string) (map[string]kvlight.TierFound, error)
	fill  func(entries []kvlight.TierEntry) ([]bool, error)
	write func(entries []kvlight.TierEntry) error
}

type memoryRow struct {
	token []byte
	entry *kvlight.TierEntry
}

func newMemoryTier() *memoryTier { return &memoryTier{rows: map[string]*memoryRow{}} }

func (m *memoryTier) Abilities() kvlight.TierAbilities {
	return kvlight.TierAbilities{IsConditional: true, GrantsLeases: true}
}

func (m *memoryTier) newToken() []byte {
	m.tokens++
	return []byte(fmt.Sprint(m.tokens))
}

func (m *memoryTier) Read(ctx context.Context, keys []string) (map[string]kvlight.TierFound, error) {
	if m.read != nil {
		return m.read(ctx, keys)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	found := map[string]kvlight.TierFound{}
	for _, key := range keys {
		row := m.rows[key]
		switch {
		case row == nil:
			m.rows[key] = &memoryRow{token: m.newToken()}
			found[key] = kvlight.TierFound{Token: m.rows[key].token}
		case row.entry == nil:
			found[key] = kvlight.TierFound{IsLeased: true}
		default:
			found[key] = kvlight.TierFound{Data: row.entry.Data, TTLLeft: row.entry.TTL, Token: row.token}
		}
	}
	return found, nil
}

func (m *memoryTier) Fill(_ context.Context, entries []kvlight.TierEntry) ([]bool, error) {
	if m.fill != nil {
		return m.fill(entries)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fills++
	stored := make([]bool, len(entries))
	for i := range entries {
		if row := m.rows[entries[i].Key]; row != nil && bytes.Equal(row.token, entries[i].Token) {
			m.rows[entries[i].Key] = &memoryRow{m.newToken(), &entries[i]}
			stored[i] = true
		}
	}
	return stored, nil
}

func (m *memoryTier) Write(_ context.Context, entries []kvlight.TierEntry) error {
	if m.write != nil {
		return m.write(entries)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range entries {
		m.rows[entries[i].Key] = &memoryRow{m.newToken(), &entries[i]}
	}
	return nil
}

func (m *memoryTier) Remove(_ context.Context, keys []string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, key := range keys {
		delete(m.rows, key)
	}
	return nil
}

func (m *memoryTier) Clear(context.Context) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.rows, m.clears = map[string]*memoryRow{}, m.clears+1
	return nil
}

func (m *memoryTier) has(key string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.rows[key] != nil && m.rows[key].entry != nil
}

func (m *memoryTier) counts() (fills, clears int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.fills, m.clears
}

// A lookup in the second tier may take as long as this machine needs.
var patient = kvlight.Settings{"l2.timeout_ms": time.Minute, "l2.wait_ms": time.Minute}

func shareAsJSON(tier kvlight.SecondTier, failed func(error)) kvlight.Option[user] {
	return kvlight.ShareThrough(kvlight.Sharing[user]{
		Tier:   tier,
		Encode: encodeUser,
		Decode: decodeUser,
		Failed: failed,
	})
}

func sharing(t *testing.T, tier kvlight.SecondTier, provider kvlight.Provider[user], failed func(error)) *kvlight.Tasks[user] {
	t.Helper()
	tasks, err := kvlight.New(provider, patient, shareAsJSON(tier, failed))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(tasks.Close)
	return tasks
}

func eventually(t *testing.T, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the condition does not hold after a minute")
		}
	}
}

func loadUsers(_ context.Context, keys []string) (map[string]user, error) {
	users := map[string]user{}
	for _, key := range keys {
		if key != "nobody" {
			users[key] = user{"loaded " + key, 1}
		}
	}
	return users, nil
}

func Test_t02_two_caches_share_what_one_loaded(t *testing.T) {
	tier := newMemoryTier()
	one, other := sharing(t, tier, loadUsers, nil), sharing(t, tier, loadUsers, nil)
	ctx := context.Background()
	if _, err := one.FetchAll(ctx, []string{"a", "nobody"}); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() bool { return tier.has("a") && tier.has("nobody") })
	results, err := other.Results(ctx, []string{"a", "nobody"})
	if err != nil || results[0].Value != (user{"loaded a", 1}) || results[0].Source != kvlight.FromL2 || results[1].Found ||
		results[1].Status != kvlight.Null || results[1].Source != kvlight.FromL2 {
		t.Fatal(results, err)
	}
	_, _ = one.Put("b", user{"put", 2}, kvlight.Terms{})
	_, _ = one.Remove("a")
	eventually(t, func() bool { return tier.has("b") && !tier.has("a") })
	if found, _, err := other.Fetch(ctx, "b"); found.Name != "put" || err != nil {
		t.Fatal(found, err)
	}
	_ = one.Clear()
	eventually(t, func() bool { _, clears := tier.counts(); return clears == 1 })
	if stats, err := other.Stats(); stats.L2Hits != 3 || err != nil {
		t.Error(stats.L2Hits, err)
	}
}

func Test_t03_a_write_beats_an_older_load(t *testing.T) {
	tier := newMemoryTier()
	reached, proceed := make(chan struct{}, 1), make(chan struct{}, 1)
	slow := func(_ context.Context, keys []string) (map[string]user, error) {
		reached <- struct{}{}
		<-proceed
		return map[string]user{keys[0]: {"old", 1}}, nil
	}
	loads, writes := sharing(t, tier, slow, nil), sharing(t, tier, loadUsers, nil)
	old := make(chan user)
	go func() {
		found, _, _ := loads.Fetch(context.Background(), "k")
		old <- found
	}()
	<-reached
	_, _ = writes.Put("k", user{"new", 2}, kvlight.Terms{})
	eventually(t, func() bool { return tier.has("k") })
	_ = loads.Invalidate([]string{"k"})
	proceed <- struct{}{}
	if found := <-old; found.Name != "old" { // it was asked for before
		t.Error(found)
	}
	if found, _, err := loads.Fetch(context.Background(), "k"); found.Name != "new" || err != nil {
		t.Error(found, err)
	}
	if fills, _ := tier.counts(); fills != 0 {
		t.Error(fills)
	}
}

func Test_t03_a_tier_that_sorts_its_keys_answers_the_right_ones(t *testing.T) {
	tier := newMemoryTier()
	tier.read = func(_ context.Context, keys []string) (map[string]kvlight.TierFound, error) {
		sort.Strings(keys)
		found := map[string]kvlight.TierFound{}
		for _, key := range keys {
			found[key] = kvlight.TierFound{Token: []byte("lease of " + key)}
		}
		return found, nil
	}
	filled := make(chan kvlight.TierEntry, 2)
	tier.fill = func(entries []kvlight.TierEntry) ([]bool, error) {
		for _, entry := range entries {
			filled <- entry
		}
		return nil, nil
	}
	if _, err := sharing(t, tier, loadUsers, nil).FetchAll(context.Background(), []string{"b", "a"}); err != nil {
		t.Fatal(err)
	}
	for i := 0; i < 2; i++ {
		if entry := <-filled; string(entry.Token) != "lease of "+entry.Key {
			t.Error(entry.Key, string(entry.Token))
		}
	}
}

func Test_t02_an_entry_never_expires_only_if_the_tier_says_so(t *testing.T) {
	tier := newMemoryTier()
	tasks := sharing(t, tier, loadUsers, nil)
	_, _ = tasks.Put("k", user{"shared", 1}, kvlight.Terms{TTL: -1})
	eventually(t, func() bool { return tier.has("k") })
	entry := tier.rows["k"].entry
	if entry.TTL != kvlight.TierTTLNever {
		t.Error(entry.TTL)
	}
	for left, wanted := range map[time.Duration]string{kvlight.TierTTLNever: "shared", -1: "loaded k", -time.Hour: "loaded k"} {
		tier.read = func(context.Context, []string) (map[string]kvlight.TierFound, error) {
			return map[string]kvlight.TierFound{"k": {Data: entry.Data, TTLLeft: left}}, nil
		}
		if found, _, err := sharing(t, tier, loadUsers, nil).Fetch(context.Background(), "k"); found.Name != wanted || err != nil {
			t.Error(left, found, err)
		}
	}
}

func Test_t10_one_of_two_caches_loads_a_key_and_the_other_waits_for_it(t *testing.T) {
	tier := newMemoryTier()
	proceed := make(chan struct{})
	var loads atomic.Int32
	slow := func(_ context.Context, keys []string) (map[string]user, error) {
		loads.Add(1)
		<-proceed
		return map[string]user{keys[0]: {"loaded once", 1}}, nil
	}
	both := []*kvlight.Tasks[user]{sharing(t, tier, slow, nil), sharing(t, tier, slow, nil)}
	found := make(chan user, 2)
	for _, tasks := range both {
		go func(tasks *kvlight.Tasks[user]) {
			value, _, _ := tasks.Fetch(context.Background(), "k")
			found <- value
		}(tasks)
	}
	eventually(t, func() bool {
		first, _ := both[0].Stats()
		second, _ := both[1].Stats()
		return first.L2Waited+second.L2Waited == 1
	})
	close(proceed)
	if first, second := <-found, <-found; first.Name != "loaded once" || second != first || loads.Load() != 1 {
		t.Error(first, second, loads.Load())
	}
}

func Test_t01_no_caller_sees_what_the_tier_does_wrong(t *testing.T) {
	down := errors.New("down")
	for name, read := range map[string]func() (map[string]kvlight.TierFound, error){
		"an error": func() (map[string]kvlight.TierFound, error) { return nil, down },
		"a panic":  func() (map[string]kvlight.TierFound, error) { panic(down) },
		"an error of a key": func() (map[string]kvlight.TierFound, error) {
			return map[string]kvlight.TierFound{"k": {Err: down}}, nil
		},
		"bytes that are no entry": func() (map[string]kvlight.TierFound, error) {
			return map[string]kvlight.TierFound{"k": {Data: []byte("no entry")}}, nil
		},
		"nothing at all": func() (map[string]kvlight.TierFound, error) { return nil, nil },
	} {
		t.Run(name, func(t *testing.T) {
			tier := newMemoryTier()
			tier.read = func(context.Context, []string) (map[string]kvlight.TierFound, error) { return read() }
			tier.fill = func([]kvlight.TierEntry) ([]bool, error) { return []bool{true, true, true}, nil }
			reported := make(chan error, 10)
			tasks := sharing(t, tier, loadUsers, func(err error) { reported <- err })
			if found, _, err := tasks.Fetch(context.Background(), "k"); found.Name != "loaded k" || err != nil {
				t.Error(found, err)
			}
			if name == "an error" || name == "a panic" || name == "an error of a key" {
				if err := <-reported; !errors.Is(err, down) {
					t.Error(err)
				}
			}
		})
	}
}

func Test_t07_what_could_not_be_written_is_written_again(t *testing.T) {
	tier := newMemoryTier()
	var tries atomic.Int32
	tier.write = func(entries []kvlight.TierEntry) error {
		if tries.Add(1) == 1 {
			return errors.New("down once")
		}
		return nil
	}
	tasks, err := kvlight.New(loadUsers, kvlight.Settings{"l2.break_ms": 1}, shareAsJSON(tier, func(error) {}))
	if err != nil {
		t.Fatal(err)
	}
	defer tasks.Close()
	_, _ = tasks.Put("k", user{"put", 1}, kvlight.Terms{})
	eventually(t, func() bool { stats, _ := tasks.Stats(); return stats.L2Writes == 1 })
}

func Test_t01_a_slow_tier_delays_a_fetch_by_its_time_limit_and_its_calls_end_with_the_cache(t *testing.T) {
	tier := newMemoryTier()
	ended := make(chan struct{})
	tier.read = func(ctx context.Context, _ []string) (map[string]kvlight.TierFound, error) {
		<-ctx.Done()
		close(ended)
		return nil, ctx.Err()
	}
	tasks, err := kvlight.New(loadUsers, kvlight.Settings{"l2.timeout_ms": 1}, shareAsJSON(tier, func(error) {}))
	if err != nil {
		t.Fatal(err)
	}
	if found, _, err := tasks.Fetch(context.Background(), "k"); found.Name != "loaded k" || err != nil {
		t.Error(found, err)
	}
	tasks.Close()
	<-ended
}

func Test_t02_a_value_that_cannot_be_encoded_stays_in_the_process_and_the_older_entry_is_removed(t *testing.T) {
	tier := newMemoryTier()
	unstorable := errors.New("not this one")
	reported := make(chan error, 10)
	tasks, err := kvlight.New(loadUsers, patient, kvlight.ShareThrough(kvlight.Sharing[user]{
		Tier: tier,
		Encode: func(u user) ([]byte, error) {
			if u.Name == "unstorable" {
				return nil, unstorable
			}
			return nil, nil // no bytes at all are bytes too
		},
		Decode: func([]byte) (user, error) { return user{}, nil },
		Failed: func(err error) { reported <- err },
	}))
	if err != nil {
		t.Fatal(err)
	}
	defer tasks.Close()
	_, _ = tasks.Put("k", user{"storable", 1}, kvlight.Terms{})
	eventually(t, func() bool { return tier.has("k") })
	_, _ = tasks.Put("k", user{"unstorable", 1}, kvlight.Terms{})
	eventually(t, func() bool { return !tier.has("k") })
	if err := <-reported; err != unstorable {
		t.Error(err)
	}
	if found, _, _ := tasks.Get("k"); found.Name != "unstorable" {
		t.Error(found)
	}
}

func Test_t11_a_value_whose_encoding_panics_or_ends_its_goroutine_delays_no_other_key(t *testing.T) {
	for name, fail := range map[string]func(){"a panic": func() { panic("cannot encode") }, "an end": runtime.Goexit} {
		t.Run(name, func(t *testing.T) {
			tier := newMemoryTier()
			reported := make(chan error, 10)
			tasks, err := kvlight.New(loadUsers, patient, kvlight.ShareThrough(kvlight.Sharing[user]{
				Tier: tier,
				Encode: func(u user) ([]byte, error) {
					if u.Name == "bad" {
						fail()
					}
					return encodeUser(u)
				},
				Decode: decodeUser,
				Failed: func(err error) { reported <- err },
			}))
			if err != nil {
				t.Fatal(err)
			}
			defer tasks.Close()
			_, _ = tasks.Put("bad", user{"good", 1}, kvlight.Terms{})
			eventually(t, func() bool { return tier.has("bad") })
			_, _ = tasks.Put("bad", user{"bad", 1}, kvlight.Terms{})
			_, _ = tasks.Put("other", user{"other", 1}, kvlight.Terms{})
			eventually(t, func() bool { return tier.has("other") && !tier.has("bad") })
			if err := <-reported; !strings.Contains(err.Error(), "Encode") || strings.Contains(err.Error(), "provider") {
				t.Error(err)
			}
			if stats, err := tasks.Stats(); stats.L2WriteErrors != 0 || err != nil {
				t.Error(stats.L2WriteErrors, "writes failed", err)
			}
		})
	}
}

func Test_t11_an_entry_whose_decoding_panics_or_ends_its_goroutine_fails_no_other_key(t *testing.T) {
	for name, fail := range map[string]func(){"a panic": func() { panic("cannot decode") }, "an end": runtime.Goexit} {
		t.Run(name, func(t *testing.T) {
			tier := newMemoryTier()
			keys := []string{"a", "bad", "z"}
			if _, err := sharing(t, tier, loadUsers, nil).FetchAll(ctx, keys); err != nil {
				t.Fatal(err)
			}
			eventually(t, func() bool { return tier.has("a") && tier.has("bad") && tier.has("z") })
			reported := make(chan error, 10)
			tasks, err := kvlight.New(loadUsers, patient, kvlight.ShareThrough(kvlight.Sharing[user]{
				Tier:   tier,
				Encode: encodeUser,
				Decode: func(data []byte) (user, error) {
					u, err := decodeUser(data)
					if u.Name == "loaded bad" {
						fail()
					}
					return u, err
				},
				Failed: func(err error) { reported <- err },
			}))
			if err != nil {
				t.Fatal(err)
			}
			defer tasks.Close()
			results, err := tasks.Results(ctx, keys)
			if err != nil {
				t.Fatal(err)
			}
			for i, source := range []kvlight.Source{kvlight.FromL2, kvlight.FromProvider, kvlight.FromL2} {
				if results[i].Source != source || results[i].Value.Name != "loaded "+keys[i] {
					t.Errorf("%+v", results[i])
				}
			}
			if err := <-reported; !strings.Contains(err.Error(), "Decode") {
				t.Error(err)
			}
		})
	}
}

func Test_t01_a_method_that_ends_its_goroutine_is_reported(t *testing.T) {
	tier := newMemoryTier()
	tier.read = func(context.Context, []string) (map[string]kvlight.TierFound, error) {
		runtime.Goexit()
		return nil, nil
	}
	reported := make(chan error, 10)
	tasks := sharing(t, tier, loadUsers, func(err error) { reported <- err })
	if found, _, err := tasks.Fetch(ctx, "k"); found.Name != "loaded k" || err != nil {
		t.Error(found, err)
	}
	select {
	case err := <-reported:
		if !strings.Contains(err.Error(), "ended its goroutine") {
			t.Error(err)
		}
	case <-time.After(time.Minute):
		t.Error("nothing was reported")
	}
}

func Test_t01_what_the_function_Failed_does_affects_no_fetch(t *testing.T) {
	log.SetOutput(io.Discard)
	defer log.SetOutput(os.Stderr)
	for name, fail := range map[string]func(){"a panic": func() { panic("Failed") }, "an end": runtime.Goexit} {
		t.Run(name, func(t *testing.T) {
			tier := newMemoryTier()
			tier.read = func(_ context.Context, keys []string) (map[string]kvlight.TierFound, error) {
				if keys[0] == "panics" {
					panic("a panic of Read")
				}
				return map[string]kvlight.TierFound{keys[0]: {Err: errors.New("an error of the key")}}, nil
			}
			tasks := sharing(t, tier, loadUsers, func(error) { fail() })
			for _, key := range []string{"panics", "fails"} {
				if found, _, err := tasks.Fetch(ctx, key); found.Name != "loaded "+key || err != nil {
					t.Error(found, err)
				}
			}
			// What cannot be encoded is reported too, and does not keep the write of another key from its end.
			_, _ = tasks.Put("other", user{"other", 1}, kvlight.Terms{})
			eventually(t, func() bool { return tier.has("other") })
		})
	}
}

func Test_l04_a_value_that_is_being_written_at_the_close_is_dropped_afterwards(t *testing.T) {
	tier := newMemoryTier()
	reached, proceed := make(chan struct{}, 10), make(chan struct{})
	var dropped atomic.Int32
	tasks, err := kvlight.New(loadUsers, patient, kvlight.ShareThrough(kvlight.Sharing[user]{
		Tier: tier,
		Encode: func(u user) ([]byte, error) {
			reached <- struct{}{}
			<-proceed
			return encodeUser(u)
		},
		Decode: decodeUser,
		Failed: func(error) {},
	}), kvlight.Dropped(func(user) { dropped.Add(1) }))
	if err != nil {
		t.Fatal(err)
	}
	_, _ = tasks.Put("k", user{"k", 1}, kvlight.Terms{})
	<-reached
	tasks.Close()
	close(proceed)
	eventually(t, func() bool { return dropped.Load() == 1 })
}

// panickingTier is a tier that cannot say what it can do.
type panickingTier struct{ *memoryTier }

func (panickingTier) Abilities() kvlight.TierAbilities { panic("no connection") }

func Test_l08_a_tier_that_panics_when_its_cache_is_created_leaks_no_memory(t *testing.T) {
	if isRaceDetected {
		t.Skip("the race detector itself uses memory")
	}
	create := func(times int) {
		for i := 0; i < times; i++ {
			func() {
				defer func() { _ = recover() }()
				_, _ = kvlight.New(loadUsers, nil, shareAsJSON(panickingTier{newMemoryTier()}, nil))
				t.Error("it is accepted")
			}()
		}
	}
	create(20_000)
	before := settledBytes()
	create(40_000)
	if growth := settledBytes() - before; growth > 8<<20 {
		t.Errorf("%d bytes for each cache", growth/40_000)
	}
}

func Test_l09_a_sharing_without_its_functions_is_refused(t *testing.T) {
	if _, err := kvlight.New(loadUsers, nil, kvlight.ShareThrough(kvlight.Sharing[user]{Tier: newMemoryTier()})); err == nil {
		t.Error("it is accepted")
	}
}
