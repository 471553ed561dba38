package wire

import (
	"opentalk/plugins/hook"
	"opentalk/plugins/wire/pb"
)

func registrationOut(r hook.Registration) *pb.Registration {
	return &pb.Registration{Extensions: each(r.Extensions, extensionOut)}
}

// registrationIn returns what is registered, if that may be.
func registrationIn(p *pb.Registration) (hook.Registration, error) {
	r := hook.Registration{Extensions: each(p.GetExtensions(), extensionIn)}
	return r, r.Check()
}

func extensionOut(e hook.Extension) *pb.Extension {
	return &pb.Extension{
		Name: text(e.Name), Version: text(e.Version), Description: text(e.Description), Source: text(e.Source),
		Needs:    each(e.Needs, func(c hook.Capability) string { return text(string(c)) }),
		Commands: each(e.Commands, commandOut),
		Filters:  each(e.Filters, filterOut),
		Observes: each(e.Observes, observerOut),
	}
}

func extensionIn(p *pb.Extension) hook.Extension {
	return hook.Extension{
		Name: p.GetName(), Version: p.GetVersion(), Description: p.GetDescription(), Source: p.GetSource(),
		Needs:    each(p.GetNeeds(), func(s string) hook.Capability { return hook.Capability(s) }),
		Commands: each(p.GetCommands(), commandIn),
		Filters:  each(p.GetFilters(), filterIn),
		Observes: each(p.GetObserves(), observerIn),
	}
}

func commandOut(c hook.Command) *pb.Command {
	return &pb.Command{
		Handler: uint32(c.Handler), Name: text(c.Name), Usage: text(c.Usage), Help: text(c.Help), Example: text(c.Example),
		Min: int32(c.Min), Max: int32(c.Max), Complete: c.Complete, Source: text(c.Source),
	}
}

func commandIn(p *pb.Command) hook.Command {
	return hook.Command{
		Handler: hook.HandlerID(p.GetHandler()), Name: p.GetName(), Usage: p.GetUsage(), Help: p.GetHelp(), Example: p.GetExample(),
		Min: int(p.GetMin()), Max: int(p.GetMax()), Complete: p.GetComplete(), Source: p.GetSource(),
	}
}

func filterOut(f hook.Filter) *pb.Filter {
	return &pb.Filter{
		Handler: uint32(f.Handler), Stage: text(string(f.Stage)), Priority: int32(f.Priority), Required: f.Required,
		Source: text(f.Source),
	}
}

func filterIn(p *pb.Filter) hook.Filter {
	return hook.Filter{
		Handler: hook.HandlerID(p.GetHandler()), Stage: hook.Stage(p.GetStage()), Priority: int(p.GetPriority()),
		Required: p.GetRequired(), Source: p.GetSource(),
	}
}

func observerOut(o hook.Observer) *pb.Observer {
	return &pb.Observer{Handler: uint32(o.Handler), Kind: text(string(o.Kind)), Source: text(o.Source)}
}

func observerIn(p *pb.Observer) hook.Observer {
	return hook.Observer{Handler: hook.HandlerID(p.GetHandler()), Kind: hook.Kind(p.GetKind()), Source: p.GetSource()}
}

func targetOut(t hook.Target) *pb.Target {
	return &pb.Target{Extension: text(t.Extension), Handler: uint32(t.Handler)}
}

func targetIn(p *pb.Target) hook.Target {
	return hook.Target{Extension: p.GetExtension(), Handler: hook.HandlerID(p.GetHandler())}
}

var actions = map[hook.Action]string{hook.Pass: "pass", hook.Rewrite: "rewrite", hook.Drop: "drop"}

func verdictOut(v hook.Verdict) *pb.FilterReply {
	return &pb.FilterReply{Action: actions[v.Action], Text: text(v.Text), Reason: text(v.Reason)}
}

// verdictIn returns what was answered at a stage, if that may be. An action that is not known is none: to let pass what was
// to be changed in a way that nobody here understands would be wrong.
func verdictIn(p *pb.FilterReply, at hook.Stage) (hook.Verdict, error) {
	v := hook.Verdict{Action: -1, Text: p.GetText(), Reason: p.GetReason()}
	if p.GetAction() == "" {
		v.Action = hook.Pass
	}
	for action, word := range actions {
		if p.GetAction() == word {
			v.Action = action
		}
	}
	if v.Action < 0 {
		return hook.Verdict{}, hook.Errorf(hook.CodeInvalid, "a filter answers with an action that is unknown here")
	}
	if err := v.Check(at); err != nil {
		return hook.Verdict{}, err
	}
	return v, nil
}
