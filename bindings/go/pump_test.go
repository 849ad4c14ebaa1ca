package kvlight

import (
	"bytes"
	"context"
	"errors"
	"log"
	"os"
	"strings"
	"testing"
)

func Test_l03_callers_get_an_error_if_the_queue_cannot_be_read(t *testing.T) {
	var logged bytes.Buffer
	log.SetOutput(&logged)
	defer log.SetOutput(os.Stderr)
	tasks, err := New(func(_ context.Context, keys []string) (map[string]string, error) {
		return map[string]string{keys[0]: keys[0]}, nil
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	e := tasks.engine
	// The event of a refresh wakes the pump, which then finds that it is to end. A second pump, which gets no queue, fails.
	e.isEnding.Store(true)
	if err := tasks.Refresh([]string{"wakes the pump"}); err != nil {
		t.Fatal(err)
	}
	<-e.pumpDone
	e.pumpDone = make(chan struct{})
	waiting := make(chan error, 1)
	go func() {
		_, _, err := tasks.Fetch(context.Background(), "a")
		waiting <- err
	}()
	go e.pump(nil)
	var status Status
	if err := <-waiting; !errors.As(err, &status) || !strings.Contains(err.Error(), "queue") {
		t.Error(err)
	}
	if _, err := tasks.Results(context.Background(), []string{"b", "c"}); !errors.As(err, &status) {
		t.Error(err)
	}
	if !strings.Contains(logged.String(), "queue") {
		t.Errorf("logged: %q", logged.String())
	}
	tasks.Close()
}
