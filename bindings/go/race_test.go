//go:build race

package kvlight_test

// The race detector itself uses memory, so tests of memory are skipped under it.
const isRaceDetected = true
