module shop.example/app

go 1.24

require (
	mill.example/grind v1.2.0
	mill.example/sift v0.0.0-20210102030405-abcdefabcdef
	mill.example/wheel v1.0.0
)
