package kvlight_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	kvlight "github.com/kvlight/kvlight/bindings/go"
)

func Test_r11_a_tag_removes_its_entries(t *testing.T) {
	tasks := openTasks(t, noUsers, nil)
	defer tasks.Close()
	for key, tags := range map[string][]string{"1": {"odd", "small"}, "2": {"small"}, "3": {"odd"}} {
		if isStored, err := tasks.Put(key, user{key, 0}, kvlight.Terms{Tags: tags}); !isStored || err != nil {
			t.Fatal(isStored, err)
		}
	}
	if removed, err := tasks.RemoveTag("odd"); removed != 2 || err != nil {
		t.Error(removed, err)
	}
	if removed, err := tasks.RemoveTag("odd"); removed != 0 || err != nil {
		t.Error(removed, err)
	}
	_, _ = tasks.Put("2", user{"zwei", 0}, kvlight.Terms{}) // a new value has the tags of its own put
	if removed, err := tasks.RemoveTag("small"); removed != 0 || err != nil {
		t.Error(removed, err)
	}
	if found, isFound, _ := tasks.Get("2"); !isFound || found.Name != "zwei" {
		t.Error(found, isFound)
	}
	if stats, err := tasks.Stats(); stats.RemovedTag != 2 || err != nil {
		t.Error(stats.RemovedTag, err)
	}
}

func withRequests(t *testing.T, provide func(*kvlight.Request[user]), settings kvlight.Settings) *kvlight.Tasks[user] {
	t.Helper()
	tasks, err := kvlight.NewWithRequests(provide, settings)
	if err != nil {
		t.Fatal(err)
	}
	return tasks
}

func Test_r11_an_answer_has_tags_and_is_not_stored_if_one_was_removed_during_the_load(t *testing.T) {
	reached, proceed := make(chan struct{}, 2), make(chan struct{}, 2)
	tasks := withRequests(t, func(request *kvlight.Request[user]) {
		reached <- struct{}{}
		<-proceed
		for i, key := range request.Keys() {
			_ = request.Resolve(i, user{key, 1}, kvlight.Terms{Tags: []string{"shelf"}})
		}
		_ = request.Finish()
	}, nil)
	defer tasks.Close()
	for _, isRemoved := range []bool{true, false} {
		done := make(chan error, 1)
		go func() {
			found, isFound, err := tasks.Fetch(context.Background(), "a")
			if err == nil && (!isFound || found.Name != "a") {
				err = errors.New(found.Name)
			}
			done <- err
		}()
		<-reached
		if isRemoved {
			if removed, err := tasks.RemoveTag("shelf"); removed != 0 || err != nil {
				t.Error(removed, err)
			}
		}
		proceed <- struct{}{}
		if err := <-done; err != nil {
			t.Error(err)
		}
		if _, isFound, _ := tasks.Get("a"); isFound == isRemoved {
			t.Error(isFound, isRemoved)
		}
	}
	if removed, err := tasks.RemoveTag("shelf"); removed != 1 || err != nil {
		t.Error(removed, err)
	}
}

func Test_r12_tags_and_all_entries_expire_and_stay_as_fallbacks(t *testing.T) {
	var down atomic.Bool
	tasks := withRequests(t, func(request *kvlight.Request[user]) {
		if down.Load() {
			_ = request.FinishError(errors.New("down"))
			return
		}
		for i, key := range request.Keys() {
			tag := "early"
			if key >= "c" {
				tag = "late"
			}
			_ = request.Resolve(i, user{key, 1}, kvlight.Terms{Tags: []string{tag}})
		}
		_ = request.Finish()
	}, kvlight.Settings{"cache.ttl_ms": 60_000, "stale.ttl_ms": 60_000, "tasks.max_running": 1})
	defer tasks.Close()
	keys := []string{"a", "b", "c"}
	if _, err := tasks.FetchAll(context.Background(), keys); err != nil {
		t.Fatal(err)
	}
	down.Store(true)
	if expired, err := tasks.ExpireTag("early"); expired != 2 || err != nil {
		t.Error(expired, err)
	}
	results, err := tasks.Results(context.Background(), keys)
	if err != nil || !results[0].IsStale || !results[1].IsStale || results[2].IsStale {
		t.Error(results, err)
	}
	if err := tasks.ExpireAll(); err != nil {
		t.Error(err)
	}
	if _, isFound, _ := tasks.Get("c"); isFound {
		t.Error("an expired entry was returned")
	}
	if found, isFound, err := tasks.Fetch(context.Background(), "c"); !isFound || found.Name != "c" || err != nil {
		t.Error(found, isFound, err)
	}
}

func Test_r06_a_record_that_has_not_changed_keeps_its_value(t *testing.T) {
	versions := map[string]string{"a": "v1", "b": "w1"}
	var seen []kvlight.Stale[user]
	calls := 0
	var mu sync.Mutex // for the race detector: the library calls the provider for one request at a time
	tasks := withRequests(t, func(request *kvlight.Request[user]) {
		mu.Lock()
		defer mu.Unlock()
		calls++
		for i, key := range request.Keys() {
			stale, exists := request.Stale(i)
			if exists {
				seen = append(seen, stale)
			}
			if exists && stale.Version == versions[key] {
				if err := request.NotModified(i, kvlight.Terms{TTL: time.Hour}); err != nil {
					t.Error(err)
				}
			} else if err := request.Resolve(i, user{key, calls}, kvlight.Terms{Version: versions[key], Tags: []string{"t"}}); err != nil {
				t.Error(err)
			}
		}
		_ = request.Finish()
	}, kvlight.Settings{"cache.ttl_ms": 10_000, "stale.ttl_ms": 60_000, "tasks.max_running": 1})
	defer tasks.Close()
	keys := []string{"a", "b"}
	if _, err := tasks.FetchAll(context.Background(), keys); err != nil {
		t.Fatal(err)
	}
	_ = tasks.ExpireAll()
	mu.Lock()
	versions["b"] = "w2"
	if len(seen) != 0 {
		t.Error(seen)
	}
	mu.Unlock()
	results, err := tasks.Results(context.Background(), keys)
	mu.Lock()
	defer mu.Unlock()
	if err != nil || len(seen) != 2 || !seen[0].Found || seen[0].Value != (user{"a", 1}) || seen[0].Version != "v1" || seen[0].Age < 0 {
		t.Error(err, seen)
	}
	if same := results[0]; same.Value != (user{"a", 1}) || same.IsStale || same.TTLLeft < time.Minute || same.Source != kvlight.FromProvider {
		t.Error(same)
	}
	if results[1].Value != (user{"b", 2}) {
		t.Error(results[1])
	}
	if removed, err := tasks.RemoveTag("t"); removed != 2 || err != nil { // it kept its tags
		t.Error(removed, err)
	}
}

func Test_r06_not_modified_without_a_value_answers_nothing(t *testing.T) {
	tasks := withRequests(t, func(request *kvlight.Request[user]) {
		if err := request.NotModified(0); !errors.Is(err, kvlight.Miss) {
			t.Error(err)
		}
		if err := request.NotModified(7); !errors.Is(err, kvlight.ErrOutOfRange) {
			t.Error(err)
		}
		if err := request.Null(0); err != nil {
			t.Error(err)
		}
		_ = request.Finish()
	}, nil)
	defer tasks.Close()
	if _, isFound, err := tasks.Fetch(context.Background(), "a"); isFound || err != nil {
		t.Error(isFound, err)
	}
}

func Test_r11_invalid_labels_are_rejected(t *testing.T) {
	tasks := openTasks(t, noUsers, nil)
	defer tasks.Close()
	long := strings.Repeat("x", 256)
	for _, terms := range []kvlight.Terms{{Tags: []string{""}}, {Tags: []string{long}}, {Tags: make([]string, 17)}, {Version: long}} {
		if _, err := tasks.Put("a", user{}, terms); !errors.Is(err, kvlight.ErrBadValue) {
			t.Error(terms, err)
		}
	}
	if _, err := tasks.RemoveTag(""); err == nil {
		t.Error("an empty tag was accepted")
	}
	if isStored, err := tasks.Put("a", user{}, kvlight.Terms{Tags: strings.Split(strings.Repeat("t", 16), ""), Version: long[1:]}); !isStored || err != nil {
		t.Error(isStored, err)
	}
}

func Test_l09b_contradictory_settings_are_rejected_with_a_message(t *testing.T) {
	_, err := kvlight.New(noUsers, kvlight.Settings{"stale.ttl_ms": 5})
	if !errors.Is(err, kvlight.ErrBadValue) || !strings.Contains(err.Error(), "no entry expires") {
		t.Error(err)
	}
}
