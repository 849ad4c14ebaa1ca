package kvlight

// #include "shim.h"
import "C"

import (
	"context"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unsafe"
)

// Status is an outcome, or an error of the library: errors.Is(err, kvlight.ErrTimeout).
type Status int32

// Statuses of results and errors.
const (
	Value          Status = C.KVL_VALUE
	Null           Status = C.KVL_NULL
	Miss           Status = C.KVL_MISS
	InvalidKey     Status = C.KVL_INVALID_KEY
	ErrInvalidArg  Status = C.KVL_ERR_INVALID_ARG
	ErrBadValue    Status = C.KVL_ERR_BAD_VALUE
	ErrUnknownKey  Status = C.KVL_ERR_UNKNOWN_KEY
	ErrKeyTooLong  Status = C.KVL_ERR_KEY_TOO_LONG
	ErrOutOfRange  Status = C.KVL_ERR_OUT_OF_RANGE
	ErrAnswered    Status = C.KVL_ERR_ALREADY_ANSWERED
	ErrClosed      Status = C.KVL_ERR_CLOSED
	ErrForked      Status = C.KVL_ERR_FORKED
	ErrProvider    Status = C.KVL_ERR_PROVIDER
	ErrTimeout     Status = C.KVL_ERR_TIMEOUT
	ErrCancelled   Status = C.KVL_ERR_CANCELLED
	ErrQueueFull   Status = C.KVL_ERR_QUEUE_FULL
	ErrUnanswered  Status = C.KVL_ERR_UNANSWERED
	ErrUnavailable Status = C.KVL_ERR_UNAVAILABLE
	ErrUnsupported Status = C.KVL_ERR_UNSUPPORTED
	ErrIO          Status = C.KVL_ERR_IO
	ErrCorrupt     Status = C.KVL_ERR_CORRUPT
	ErrTruncated   Status = C.KVL_ERR_TRUNCATED
	ErrFileVersion Status = C.KVL_ERR_FILE_VERSION
)

// Error returns the status's name and message.
func (s Status) Error() string {
	return C.GoString(C.kvl_status_name(C.kvl_status_t(s))) + ": " + C.GoString(C.kvl_status_message(C.kvl_status_t(s)))
}

// Is reports whether the status stands for another error: ErrTimeout for context.DeadlineExceeded.
func (s Status) Is(target error) bool { return s == ErrTimeout && target == context.DeadlineExceeded }

// Source is the origin of a result.
type Source uint32

// Sources.
const (
	FromNowhere     Source = C.KVL_SOURCE_NONE
	FromStore       Source = C.KVL_SOURCE_STORE
	FromProvider    Source = C.KVL_SOURCE_PROVIDER
	FromJoined      Source = C.KVL_SOURCE_JOINED
	FromPut         Source = C.KVL_SOURCE_PUT
	FromErrorMemory Source = C.KVL_SOURCE_ERROR_MEMORY
	FromStale       Source = C.KVL_SOURCE_STALE
	FromL2          Source = C.KVL_SOURCE_L2
)

func check(status C.kvl_status_t) error {
	if status < 0 {
		return Status(status)
	}
	return nil
}

// errorWithMessage returns a status as an error with a more specific message.
func errorWithMessage(status Status, message *C.char) error {
	return fmt.Errorf("%w: %s", status, C.GoString(message))
}

// bytesOf returns the address of a string's bytes, which C may read for the duration of one call.
func bytesOf(s string) *C.uint8_t {
	if len(s) == 0 {
		return nil
	}
	return (*C.uint8_t)(*(*unsafe.Pointer)(unsafe.Pointer(&s)))
}

func charsOf(s string) *C.char { return (*C.char)(unsafe.Pointer(bytesOf(s))) }

func stringOf(data *C.uint8_t, length C.size_t) string {
	return string(unsafe.Slice((*byte)(data), int(length)))
}

// Settings are settings of docs/CONFIGURATION.md by name; a fetch takes those that are "per fetch". A value is a string, a bool, a number of any type
// or, for a setting whose name ends in "_ms" or "_us", a duration.
type Settings map[string]any

// apply passes each setting to the function for its type.
func (s Settings) apply(text func(*C.char, *C.char), whole func(*C.char, C.int64_t), float func(*C.char, C.double)) error {
	for key, value := range s {
		if err := writeSetting(key, value, text, whole, float); err != nil {
			return err
		}
	}
	return nil
}

func writeSetting(key string, value any, text func(*C.char, *C.char), whole func(*C.char, C.int64_t), float func(*C.char, C.double)) error {
	if strings.IndexByte(key, 0) >= 0 {
		return fmt.Errorf("kvlight: the name of the setting %q contains a NUL byte: %w", key, ErrBadValue)
	}
	name := C.CString(key)
	defer C.free(unsafe.Pointer(name))
	if d, isDuration := value.(time.Duration); isDuration {
		units, err := unitsOf(key, d)
		if err != nil {
			return err
		}
		whole(name, C.int64_t(units))
		return nil
	}
	switch v := reflect.ValueOf(value); v.Kind() {
	case reflect.String:
		if strings.IndexByte(v.String(), 0) >= 0 {
			return fmt.Errorf("kvlight: the value %q of the setting %q contains a NUL byte: %w", v.String(), key, ErrBadValue)
		}
		writeWord(name, v.String(), text)
	case reflect.Bool:
		// Not as a number, which a setting that takes numbers would accept.
		writeWord(name, strconv.FormatBool(v.Bool()), text)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		whole(name, C.int64_t(v.Int()))
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		if v.Uint() > math.MaxInt64 {
			return fmt.Errorf("kvlight: the setting %q is at most %d, not %d: %w", key, math.MaxInt64, v.Uint(), ErrBadValue)
		}
		whole(name, C.int64_t(v.Uint()))
	case reflect.Float32, reflect.Float64:
		float(name, C.double(v.Float()))
	case reflect.Func:
		return fmt.Errorf("kvlight: the setting %q is a function, which the library cannot call from Go: its events are read from a queue: %w",
			key, ErrBadValue)
	default:
		return fmt.Errorf("kvlight: the setting %q takes a string, a number, a bool or a duration, not a %T: %w", key, value, ErrBadValue)
	}
	return nil
}

func writeWord(name *C.char, word string, text func(*C.char, *C.char)) {
	value := C.CString(word)
	defer C.free(unsafe.Pointer(value))
	text(name, value)
}

// unitsOf converts a duration to the unit of a setting. A positive duration below one unit becomes one unit, since 0 can have another meaning.
func unitsOf(key string, d time.Duration) (int64, error) {
	unit := time.Millisecond
	switch {
	case strings.HasSuffix(key, "_ms"):
	case strings.HasSuffix(key, "_us"):
		unit = time.Microsecond
	default:
		return 0, fmt.Errorf("kvlight: the setting %q does not take a duration: %w", key, ErrBadValue)
	}
	if 0 < d && d < unit {
		return 1, nil
	}
	if d < 0 && d%unit != 0 {
		// Cut to whole units it could become 0 or -1, which have meanings of their own: a deadline that has just passed would be no limit.
		return 0, fmt.Errorf("kvlight: the setting %q does not take %v: %w", key, d, ErrBadValue)
	}
	return int64(d / unit), nil
}

func (s Settings) config() (*C.kvl_config_t, error) {
	var config *C.kvl_config_t
	if err := check(C.kvl_config_new(&config)); err != nil {
		return nil, err
	}
	err := s.apply(
		func(key, value *C.char) { C.kvl_config_set(config, key, value) },
		func(key *C.char, value C.int64_t) { C.kvl_config_set_int(config, key, value) },
		func(key *C.char, value C.double) { C.kvl_config_set_real(config, key, value) })
	if problem := C.kvl_config_problem(config); err == nil && problem != nil {
		err = errorWithMessage(ErrBadValue, problem)
	}
	if err != nil {
		C.kvl_config_free(config)
		return nil, err
	}
	return config, nil
}

func (s Settings) options() (*C.kvl_options_t, error) {
	if len(s) == 0 {
		return nil, nil
	}
	var options *C.kvl_options_t
	if err := check(C.kvl_options_new(&options)); err != nil {
		return nil, err
	}
	err := s.apply(
		func(key, value *C.char) { C.kvl_options_set(options, key, value) },
		func(key *C.char, value C.int64_t) { C.kvl_options_set_int(options, key, value) },
		func(key *C.char, value C.double) { C.kvl_options_set_real(options, key, value) })
	if problem := C.kvl_options_problem(options); err == nil && problem != nil {
		err = errorWithMessage(ErrBadValue, problem)
	}
	if err != nil {
		C.kvl_options_free(options)
		return nil, err
	}
	return options, nil
}

// packKeys returns the bytes of keys, one after the other, and their lengths.
func packKeys(keys []string) ([]byte, []C.uint32_t) {
	size := 0
	for _, key := range keys {
		size += len(key)
	}
	bytes, lengths := make([]byte, 0, size+1), make([]C.uint32_t, 0, len(keys)+1)
	for _, key := range keys {
		bytes, lengths = append(bytes, key...), append(lengths, C.uint32_t(len(key)))
	}
	// One element more than the count that is passed to C, so that both slices have a first element.
	return append(bytes, 0), append(lengths, 0)
}
