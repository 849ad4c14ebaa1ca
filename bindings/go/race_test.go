//go:build race

package kvlight_test

// The race detector itself uses memory, so that tests of memory are skipped under it.
const isRaceDetected = true
