package link

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// pairsOfSides are two honest sides each: whom the caller wants, who listens, and roles that meet.
var pairsOfSides = [][]side{
	{dials("alice", "bob"), listens("bob")},
	{dials("alice", "nobody"), listens("bob")},
	{dials("alice", "mallory"), listens("bob")},
	{dials("alice", "nobody"), listens("alice")},
	{dials("alice", "alice"), listens("tablet")},
	{dials("alice", "bob"), dials("bob", "alice")},
	{listens("alice"), listens("bob")},
}

// threes are searched without the attacker who breaks ephemeral keys: it can make so much that they would take minutes.
var threes = [][]side{
	{dials("alice", "nobody"), listens("alice"), listens("bob")},
	{dials("alice", "mallory"), dials("bob", "mallory"), listens("bob")},
	{dials("alice", "bob"), dials("tablet", "bob"), listens("bob")},
}

// hunt searches against every attacker whose name begins with who, and returns the promises that each breaks, with the
// shortest way there.
func hunt(t *testing.T, rs rules, who string, scenarios ...[]side) map[string]string {
	t.Helper()
	found, moments, linked := map[string]string{}, 0, 0
	for _, a := range attackers {
		for _, sides := range scenarios {
			if a.breaks && len(sides) > 2 || !strings.HasPrefix(a.name, who) {
				continue
			}
			s := explore(rs, a, sides...)
			moments, linked = moments+s.moments, max(linked, s.linked)
			for promise, story := range s.found {
				name, text := a.name+" "+promise, strings.Join(story, "; ")
				if found[name] == "" || len(text) < len(found[name]) {
					found[name] = text
				}
			}
		}
	}
	if linked < 2 {
		t.Errorf("at most %d sides were ever linked: the search looked at nothing", linked)
	}
	t.Logf("%d moments", moments)
	for _, name := range slices.Sorted(maps.Keys(found)) {
		t.Logf("%s: %s", name, found[name])
	}
	return found
}

// No attacker breaks a promise of the handshake as it is.
func TestModelHolds(t *testing.T) {
	for promise, story := range hunt(t, rules{table: handshakeTable}, "", slices.Concat(pairsOfSides, threes)...) {
		t.Errorf("%s: %s", promise, story)
	}
}

// Each thing left out lets the attack in that it is there against.
func TestModelFindsAttacks(t *testing.T) {
	full := handshakeTable
	for _, tc := range []struct {
		left  string
		rules rules
		finds string
	}{
		{"want out of the signature", rules{table: full.without("initiator signed", "want")}, "breaker " + unwanted},
		{"want out of the third message", rules{unchecked: "want", table: full.without("initiator signed", "want").without("m3 said", "want")}, "member " + unwanted},
		{"initiator's credential out of its signature", rules{table: full.without("initiator signed", "initiator credential")}, "breaker " + unwanted},
		{"responder's credential out of its signature", rules{table: full.without("both credentials", "credential r")}, "breaker " + misled},
		{"transcript out of the initiator's signature", rules{table: full.without("initiator signed", "confirmed")}, "member " + misled},
		{"transcript out of the responder's signature", rules{table: full.without("responder signed", "th2")}, "thief " + misled},
		{"initiator's signature", rules{table: full.without("m3 said", "initiator signature")}, "member " + misled},
		{"responder's signature", rules{table: full.without("m4 said", "responder signature")}, "member " + misled},
		{"looking for oneself", rules{unchecked: "self", table: full}, "outsider " + itself},
		{"role labels of the traffic keys", rules{table: full.unlabelled("initiator traffic", "responder traffic")}, "outsider " + foreign},
		{"round secret", rules{table: full.without("s1", "round secret")}, "outsider " + exposed},
		{"ephemeral secrets", rules{table: full.without("s2", "dh").without("master", "kem")}, "member " + overheard},
	} {
		t.Run(tc.left, func(t *testing.T) {
			who, _, _ := strings.Cut(tc.finds, " ")
			if found := hunt(t, tc.rules, who, pairsOfSides...); found[tc.finds] == "" {
				t.Errorf("not found: a %s", tc.finds)
			}
		})
	}
}

// Where both sides sign the same and nobody looks whether it is oneself, a caller's own signature can be reflected to it. The
// role label stops that by itself.
func TestModelRoleLabelStopsReflection(t *testing.T) {
	alike := handshakeTable.
		without("initiator signed", "initiator credential").without("initiator signed", "want").without("responder signed", "both credentials").
		edit("responder signed", func(r *row) { r.parts[0] = "confirmed" })
	one := []side{dials("alice", "nobody"), listens("bob")}
	if story := hunt(t, rules{unchecked: "self", table: alike}, "member", one)["member "+itself]; story != "" {
		t.Error("with role labels: ", story)
	}
	bare := alike.unlabelled("initiator signature", "responder signature")
	if hunt(t, rules{unchecked: "self", table: bare}, "member", one)["member "+itself] == "" {
		t.Error("without role labels no reflection is found")
	}
}

// What stands behind another lock: without it the search finds nothing, as long as the other holds. It shows, too, that the
// search does not call everything an attack.
func TestModelSecondLocks(t *testing.T) {
	full := handshakeTable
	for left, rs := range map[string]rules{
		"role labels of signatures: what is signed differs": {table: full.unlabelled("initiator signature", "responder signature")},
		"the third message in th2: both credentials":        {table: full.without("th2", "m3")},
		"X25519: ML-KEM": {table: full.without("s2", "dh")},
		"ML-KEM: X25519": {table: full.without("master", "kem")},
		"the tag in signatures: the proof under its secret":  {table: full.without("initiator signed", "tag").without("responder signed", "tag")},
		"finished-MACs: the AEAD around them":                {table: full.without("m3 plain", "initiator finished").without("m4 plain", "responder finished")},
		"initiator's credential in the answer: it is in th2": {table: full.without("both credentials", "credential i")},
	} {
		t.Run(strings.ReplaceAll(left, ":", " –"), func(t *testing.T) {
			for promise, story := range hunt(t, rs, "", pairsOfSides...) {
				t.Error(fmt.Sprint(promise, ": ", story))
			}
		})
	}
}
