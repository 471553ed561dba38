// Guard is a plugin that keeps secrets from being said by mistake: a message that holds what looks like a private key or the number
// of a payment card is not sent, and stays typed. It is asked before every message is signed, and without its answer
// nothing is sent.
package main

import (
	"context"
	"regexp"
	"strings"

	"opentalk/plugins/hook"
	"opentalk/plugins/sdk"
)

func main() { sdk.Serve(guard) }

var guard = sdk.Plugin{
	Name: "guard", Version: "1.0.0", Description: "keeps keys and card numbers from being sent",
	Filters: []sdk.Filter{{Stage: hook.StageOutgoing, Priority: -1000, Required: true, Decide: decide}},
}

// decide looks at a message last of all filters, so that none can put back what it has not seen.
func decide(_ context.Context, _ *sdk.Host, item hook.Item) (hook.Verdict, error) {
	switch {
	case holdsKey(item.Out.Text):
		return sdk.Drop("this looks like a private key or a token"), nil
	case holdsCard(item.Out.Text):
		return sdk.Drop("this looks like the number of a payment card"), nil
	}
	return sdk.Pass, nil
}

// keys match what private keys and tokens begin with, wherever they are used.
var keys = regexp.MustCompile(`-----BEGIN [A-Z0-9 ]*PRIVATE KEY` + // PEM, of TLS and SSH
	`|AGE-SECRET-KEY-1[0-9A-Z]{20}` +
	`|\bAKIA[0-9A-Z]{16}\b` + // a cloud's access key
	`|\bgh[opsru]_[0-9A-Za-z]{30}` + // a code host's token
	`|\bxox[abprs]-[0-9A-Za-z-]{20}`) // a chat's token

func holdsKey(text string) bool { return keys.MatchString(text) }

// cards match what may be the number of a card: 13 to 19 digits, in groups or not.
var cards = regexp.MustCompile(`\b[0-9](?:[ -]?[0-9]){12,18}\b`)

func holdsCard(text string) bool {
	for _, found := range cards.FindAllString(text, -1) {
		if digits := strings.NewReplacer(" ", "", "-", "").Replace(found); digits[0] != '0' && luhn(digits) {
			return true
		}
	}
	return false
}

// luhn checks the last digit of a number, as every card has it: one number in ten passes by chance.
func luhn(digits string) bool {
	sum := 0
	for i := range len(digits) {
		d := int(digits[len(digits)-1-i] - '0')
		if i%2 == 1 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return sum%10 == 0
}
