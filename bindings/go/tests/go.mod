module kvlighthosts

go 1.19

require kvlight v0.0.0

replace kvlight => ../
