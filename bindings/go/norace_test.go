//go:build !race

package kvlight_test

const isRaceDetected = false
