package kvlight

import (
	"errors"
	"fmt"
	"runtime/debug"
)

// PanicError is the error of the keys of a request whose provider panicked. Save and Load return it if the function that converts values panicked, and
// Sharing.Failed receives it if the second tier did.
type PanicError struct {
	// Value is the argument of the panic.
	Value any
	// Stack is the stack trace of the panic.
	Stack []byte

	where string
}

func (e *PanicError) Error() string {
	where := e.where
	if where == "" {
		where = "the provider"
	}
	return fmt.Sprintf("kvlight: %s panicked: %v", where, e.Value)
}

// Unwrap returns the value if it is an error, otherwise nil.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// goexitError is the error of a function of the program that ended its goroutine by runtime.Goexit, as t.FailNow does.
type goexitError string

func (where goexitError) Error() string { return "kvlight: " + string(where) + " ended its goroutine" }

// caught calls a function of the program and returns its error, or its panic as a PanicError. It does not return if the function ends the goroutine.
func caught(where string, call func() error) (err error) {
	hasReturned := false
	defer func() {
		// Not `recover() != nil`, which misses panic(nil).
		if !hasReturned {
			err = &PanicError{recover(), debug.Stack(), where}
		}
	}()
	err = call()
	hasReturned = true
	return err
}

// contain calls a function of the program on a goroutine of its own and waits for it. It returns the function's error, its panic as a PanicError, or a
// goexitError if the function ended its goroutine.
func contain(where string, call func() error) error {
	err := error(goexitError(where))
	done := make(chan struct{})
	go func() {
		defer close(done)
		err = caught(where, call)
	}()
	<-done
	return err
}

// errorAs is errors.As for an error of the program, whose methods may panic: then it finds nothing.
func errorAs[T error](err error) (found T, isFound bool) {
	defer func() {
		if recover() != nil {
			isFound = false
		}
	}()
	isFound = errors.As(err, &found)
	return found, isFound
}

// messageOf returns the message of an error, whose Error method may panic.
func messageOf(err error) (text string) {
	defer func() {
		if recover() != nil {
			text = "an error whose Error method panicked"
		}
	}()
	return err.Error()
}
