//go:build race

package kvlight_test

// The race detector remembers who touched what, so that memory is not flat under it.
const isRaceDetected = true
