package scripts

import "opentalk/plugins/sdk"

// Serve is the main of the process that runs the scripts. It returns when the chat ends it.
func Serve() {
	limitMemory()
	sdk.ServeExtender(NewHost())
}
