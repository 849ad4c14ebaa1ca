module kvlight

go 1.19
