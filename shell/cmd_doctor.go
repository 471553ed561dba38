package shell

func doctorCommands() []command { return nil }
