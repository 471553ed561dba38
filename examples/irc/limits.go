package main

import "time"

const (
	// maxClients is how many may be connected at once: a person has a few.
	maxClients = 32
	// maxLine is the longest line that is taken from a client, without its tags: a whole message of the chat and what names
	// where it goes. It is told as LINELEN.
	maxLine = 9 << 10
	// maxRead is what may come without the end of a line: one with tags of the greatest size that is allowed.
	maxRead = 16 << 10
	// ircLine is the longest line that a client need take, with its end and without its tags.
	ircLine = 512
	// maxQueue bounds what waits for a client that does not read, in bytes: the histories of many rounds at once, and no more.
	maxQueue = 8 << 20
	// maxJobs is how many questions to the chat may wait for a client. Past it no line is read from it.
	maxJobs = 64
	// lineRate and lineBurst are how many lines a second are read from a client: a client that starts asks much at once.
	lineRate, lineBurst = 20, 200

	maxNick    = 30 // bytes, told as NICKLEN
	maxChannel = 50 // bytes, told as CHANNELLEN
	maxClient  = 20 // bytes of the name that a client calls itself
	maxJoins   = 50 // rounds that one line may name
	// maxQuote bounds what a reply repeats of what a client has said, in bytes.
	maxQuote = 64

	// registerTime is how long a client may take to say who it is, pingAfter after which silence it is asked whether it is
	// still there, pingTime how long it may take to say so.
	registerTime = 30 * time.Second
	pingAfter    = 90 * time.Second
	pingTime     = 60 * time.Second
	// writeTime is how long one write to a client may take.
	writeTime = 30 * time.Second

	// joinTime is how long a message that looks as if the client had cut it waits for its next part: WeeChat sends a line every
	// 2 s when it has just sent some. joinRoom is how much shorter than the longest line such a part may be: clients cut where
	// a word ends, and leave room for what they do not know. longWord is from where on a word is cut, too.
	joinTime = 3 * time.Second
	joinRoom = 160
	longWord = 80
	// tickEvery is how often it is looked whether it is time for something.
	tickEvery = 250 * time.Millisecond
	// acceptAgain is how long nobody is let in when that has failed, as when there are too many files.
	acceptAgain = time.Second

	// patience is how long a question to the chat may take, and how long a message is tried that it refuses for now, as it
	// does when somebody pastes many.
	patience = 2 * time.Minute

	// maxPage is how many messages CHATHISTORY gives at once; findPages how many pages of the chat are looked through for a
	// message of which only the id is known.
	maxPage   = 500
	findPages = 20
	// maxMissed is how many messages of a round are shown to a client that was away; the rest it finds in the history.
	maxMissed = 5000
	// checkpoint is after how many messages a new place is noted up to which all was shown. Messages that land up to so many
	// lines before the newest one are not missed, even if they come while the client is away.
	checkpoint = 64
	// saveEvery is how often it is written down what clients were shown.
	saveEvery = 2 * time.Second
	// maxOrigins is of how many own messages it is known which client has sent them.
	maxOrigins = 1000
)
