%% The workloads in Erlang on the BEAM, with OTP's documented means alone: processes, `!`, `receive`, and for the
%% questions a gen_server. Compiled with `erlc` and run by `erl` with its default flags, so with its JIT where it has one.
%%
%% BASE is `local` (all processes in this node) or `nodes`: the two processes in two nodes of this machine, which speak
%% Erlang's distribution over TCP on the loopback address. For that `erl` needs more flags, see `nodes` in `environments.py`:
%% one known port instead of the daemon `epmd`, which would outlive the run.
%% A message carries no sender here, so whoever wants an answer puts its own pid into the message, as is usual.

-module(use_beam).
-behaviour(gen_server).
-export([main/0, echo/0, pinger/0, sink/0, source/0, nursery/0]).
-export([init/1, handle_call/3, handle_cast/2]).

-define(TIMEOUT, 50000).

main() ->
    [Workload, Base, Operations, WarmUp, Batch] = init:get_plain_arguments(),
    {Elsewhere, Close} = second_node(Base),
    Work = workload(Workload, Elsewhere, list_to_integer(Batch)),
    case list_to_integer(WarmUp) of
        0 -> ok;
        Some -> Work(Some)
    end,
    Count = list_to_integer(Operations),
    Begun = erlang:monotonic_time(),
    Work(Count),
    Ended = erlang:monotonic_time(),
    Seconds = (Ended - Begun) / erlang:convert_time_unit(1, second, native),
    Close(),
    Version = "OTP " ++ erlang:system_info(otp_release) ++ ", erts " ++ erlang:system_info(version),
    io:format("{\"workload\": \"~s\", \"operations\": ~b, \"seconds\": ~.9f, \"version\": \"~s\"}~n",
              [Workload, Count, Seconds, Version]),
    halt(0).

%% The workloads: each gives back a function that does so many operations and returns when they are done.

workload("ping-pong", Elsewhere, _) ->
    Pinger = spawn_link(?MODULE, pinger, []),
    Partner = spawn_link(Elsewhere, ?MODULE, echo, []),
    fun(Messages) -> Pinger ! {play, self(), Partner, Messages div 2}, expect(done) end;
workload("flood", Elsewhere, Batch) ->
    Source = spawn_link(?MODULE, source, []),
    Sink = spawn_link(Elsewhere, ?MODULE, sink, []),
    fun(Messages) -> Source ! {send, self(), Sink, Messages, Batch}, expect({seen, Messages}) end;
workload("flood-outside", Elsewhere, _) ->
    Sink = spawn_link(Elsewhere, ?MODULE, sink, []),
    fun(Messages) ->
        Sink ! {expect, self(), Messages, Messages},
        expect(more),
        send(Sink, 0, Messages),
        expect({seen, Messages})
    end;
workload("ask", Elsewhere, _) ->
    {ok, Server} = erpc:call(Elsewhere, gen_server, start, [?MODULE, [], []]),
    fun(Questions) -> ask(Server, Questions) end;
workload("spawn", _, _) ->
    fun(Children) -> spawn_link(?MODULE, nursery, []) ! {children, self(), Children}, expect(done) end.

expect(Wanted) ->
    receive Wanted -> ok
    after ?TIMEOUT -> error({the_work_was_not_done, Wanted})
    end.

ask(_, 0) -> ok;
ask(Server, Left) ->
    {question, 1} = gen_server:call(Server, {question, 1}, ?TIMEOUT),
    ask(Server, Left - 1).

%% Answers every message with the same message.
echo() ->
    receive
        {From, Message} when is_tuple(Message) -> From ! {self(), Message}, echo()
    end.

%% Plays ping-pong with a partner for a number of rounds, then tells whoever asked for it.
pinger() ->
    receive
        {play, Origin, Partner, Rounds} ->
            Partner ! {self(), {ping, 1}},
            pinger(Origin, Partner, Rounds)
    end.

pinger(Origin, Partner, Left) ->
    receive
        {Partner, _} when Left =:= 1 -> Origin ! done, pinger();
        {Partner, Message} when is_tuple(Message) -> Partner ! {self(), Message}, pinger(Origin, Partner, Left - 1)
    end.

%% Counts what it handles; tells the sender after each batch, and at the end how many it has seen.
sink() ->
    receive
        {expect, Origin, Expected, Batch} -> Origin ! more, sink(Origin, 0, Expected, Batch)
    end.

sink(Origin, Seen, Expected, Batch) ->
    receive
        {item, _} when Seen + 1 =:= Expected -> Origin ! {seen, Expected}, sink();
        {item, _} when (Seen + 1) rem Batch =:= 0 -> Origin ! more, sink(Origin, Seen + 1, Expected, Batch);
        {item, _} -> sink(Origin, Seen + 1, Expected, Batch)
    end.

%% Sends a number of small tuples to a sink, a batch whenever the sink asks for more.
source() ->
    receive
        {send, Origin, Sink, Count, Batch} ->
            Sink ! {expect, self(), Count, Batch},
            source(Origin, Sink, 0, Count, Batch)
    end.

source(Origin, Sink, Sent, Count, Batch) ->
    receive
        more ->
            Upto = min(Sent + Batch, Count),
            send(Sink, Sent, Upto),
            source(Origin, Sink, Upto, Count, Batch);
        {seen, Seen} -> Origin ! {seen, Seen}, source()
    end.

send(_, Upto, Upto) -> ok;
send(Sink, Index, Upto) ->
    Sink ! {item, Index},
    send(Sink, Index + 1, Upto).

%% Spawns children, sends each one message, and answers when each of them has replied.
nursery() ->
    receive
        {children, Origin, Children} ->
            [spawn_link(?MODULE, echo, []) ! {self(), {hello, 1}} || _ <- lists:seq(1, Children)],
            [receive {_, {hello, 1}} -> ok end || _ <- lists:seq(1, Children)],
            Origin ! done,
            receive stop -> ok end
    end.

%% The gen_server that answers questions.
init([]) -> {ok, none}.
handle_call(Question, _From, State) -> {reply, Question, State}.
handle_cast(_, State) -> {noreply, State}.

%% Where the partner lives, and what to do at the end.
second_node("local") -> {node(), fun() -> ok end};
second_node("nodes") ->
    {ok, [[Port]]} = init:get_argument(erl_epmd_port),
    {ok, Peer, Node} = peer:start_link(#{
        name => "partner",
        host => "127.0.0.1",
        longnames => true,
        connection => standard_io,
        args => ["-start_epmd", "false", "-erl_epmd_port", Port, "-setcookie", atom_to_list(erlang:get_cookie()),
                 "-kernel", "inet_dist_use_interface", "{127,0,0,1}", "-pa", filename:dirname(code:which(?MODULE))]
    }),
    true = net_kernel:connect_node(Node),
    {Node, fun() -> peer:stop(Peer) end}.
