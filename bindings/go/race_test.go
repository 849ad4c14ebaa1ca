//go:build race

package kvlight_test

// The race detector records accesses, so that memory grows under it.
const isRaceDetected = true
