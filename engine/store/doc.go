// Package store is what one person keeps on disk: the blocks of every round, the outbox, the address book and small
// settings, in one file that one process at a time may open, and a small journal beside it.
//
// It sits below engine and knows no keys and no chain. An id is 32 bytes, a block is bytes that come back as they came in,
// and so is every value; what must stay private is sealed before it gets here. The engine decides what is admitted, cited
// and sent; this package promises that what [Store.Write] returned for is still there after kill -9 or a power cut, whole or
// not at all, and that damage to the file is an error and not an answer.
//
// # Layout
//
// The file is a bbolt database of nested buckets. Numbers are 8 bytes, big endian, so that keys sort as the numbers do.
//
//	about                   "format" → 1 byte, the version of this layout
//	                        "store"  → 16 bytes that tell it from any other
//	                        "number" → 8 bytes: how many Writes changed something
//	rounds / <tag>          "value"  → what the engine says of the round
//	                        "state"  → how many blocks, heads, drafts, peers, settings; the next draft's number
//	  blocks                arrival              → 4 more bytes of checksum, entry (89 bytes), raw block
//	  ids                   id                   → arrival
//	  order                 t ‖ id               → arrival
//	  lines                 device ‖ seq ‖ id    → arrival
//	  heads                 id                   → arrival
//	  drafts                0 ‖ number           → id, value
//	                        1 ‖ id               → number
//	  peers                 device               → value
//	  settings              name                 → value
//
// A block is written once under its number of arrival; order and lines grow nearly at their ends, and only ids, whose
// records are small, is written at random places.
//
// What small Writes did is in the journal first (journal.go): a Write of a line takes one flush and not the two, with a dozen
// pages, of a commit. A file that was closed has all of it.
//
// # Damage
//
// bbolt checks its two root pages and nothing else. So every record starts with a CRC32C over its bucket, its round, its key
// and its value; an index is believed only where the block it leads to agrees; small buckets are counted; a key that is
// not found is believed only if its neighbours hold and the leaf they lie in is whole. [Open] reads the free list, all
// pages above the leaves and what is small, about 1 % of the file, and looks for lost, shared and circular pages. What only
// a full reading can find is left to [Store.Check]: a leaf that says it holds nothing, pages of blocks not read for long. A read
// that meets damage leaves a mark beside the file, so that the next Open reads everything.
//
// A damaged file is never written to again. [OpenWreck] finds in it, page by page and whatever the pages say of each other,
// every record that still holds, because the checksum of a record says where it belongs; what to believe of those, and put into
// a new store, is the engine's to judge. [Wreck.Replace] then puts that store in its place.
package store
