module kvlight.test/redis

go 1.19

require github.com/kvlight/kvlight/bindings/go v0.0.0

replace github.com/kvlight/kvlight/bindings/go => ../../../../../bindings/go
