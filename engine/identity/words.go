package identity

import "strings"

// FingerprintWords is how many words stand for a fingerprint: 16 bytes of it, 128 bits. Whoever wants a key whose words are the
// same has to make 2^128 of them.
const FingerprintWords = 16

// Words returns the beginning of a fingerprint for people to read aloud, a word for each byte.
func (f Fingerprint) Words() []string {
	list := strings.Fields(wordList)
	words := make([]string, FingerprintWords)
	for i := range words {
		words[i] = list[f[i]]
	}
	return words
}

// wordList has one word for each byte, in its order. It must never change: two people compare what two versions show.
const wordList = `
acid acorn actor agent alarm album alley amber anchor angle ankle apple apron arch arrow attic autumn axle bacon
badge bagel baker bamboo banjo barrel basil basket beach beaver beetle bench berry bicycle birch biscuit blanket
blossom bonfire border bottle boulder bracket branch bridge brush bubble bucket buffalo bullet button cabin cactus
camel camera candle canoe canvas captain carbon carpet castle cattle cedar cello chalk cherry chess chimney cider
cinema circle clarinet clover cobra coconut comet copper coral cotton cousin coyote cradle crater cricket crystal
cuckoo curtain cushion dagger daisy dancer desert diamond dinner doctor dolphin donkey dragon drawer drum dungeon
eagle echo eclipse elbow ember engine envelope fabric falcon farmer feather fiddle finger flannel flute forest fossil
fountain galaxy garden garlic gazelle ginger giraffe glacier goblet gorilla granite guitar gypsum hammer harbor
harvest hazel helmet heron hockey honey hotel husky icicle igloo insect iron island ivory jacket jaguar jasmine jelly
jigsaw jungle kayak kennel kettle kitchen kiwi koala ladder lagoon lantern lemon leopard lizard lobster locket magnet
mango maple marble meadow melon meteor mirror monkey mosaic muffin museum napkin nectar needle nickel nutmeg oasis
ocean octopus olive onion opera orange orchid otter oxygen oyster paddle panda paper parrot pebble pencil pepper
piano pillow pirate planet pocket polar pony potato pumpkin puzzle python quartz rabbit radar raven ribbon river
robot rocket saddle salmon sandal saturn saucer scarf shadow shovel silver spider sponge statue sugar summer table
teapot temple thunder ticket tiger tomato trumpet tulip tunnel turtle umbrella velvet violin walnut whistle window
wizard yogurt zebra zipper
`
