// build/smart_zone_tee.node: see index.d.ts. Every call into the TEE runs on a worker thread, so that the
// event loop does not wait, but invokeNow().
#include <napi.h>

#include <memory>
#include <optional>

#include "tee_session.h"

namespace
{

using SharedSession = std::shared_ptr<Session>;

// A promise that a worker thread settles.
class Work : public Napi::AsyncWorker
{
  public:
    explicit Work(Napi::Env env) : Napi::AsyncWorker(env), deferred(Napi::Promise::Deferred::New(env))
    {
    }
    Napi::Promise start()
    {
        Napi::Promise promise = deferred.Promise();

        Queue(); // deletes itself when it is done
        return promise;
    }

  protected:
    void OnError(const Napi::Error &error) override
    {
        deferred.Reject(error.Value());
    }
    Napi::Promise::Deferred deferred;
};

class TeeSession : public Napi::ObjectWrap<TeeSession>
{
  public:
    static void define(Napi::Env env);
    static Napi::Object wrap(Napi::Env env, SharedSession session);

    explicit TeeSession(const Napi::CallbackInfo &info);

    bool busy = false;

  private:
    friend class InvokeWork;
    friend class CloseWork;
    Napi::Value getBuffer(const Napi::CallbackInfo &info);
    Napi::Value invoke(const Napi::CallbackInfo &info);
    Napi::Value invokeNow(const Napi::CallbackInfo &info);
    const char *readInvoke(const Napi::CallbackInfo &info, Invoke &call) const;
    Napi::Value close(const Napi::CallbackInfo &info);
    void detach();

    SharedSession session; // empty once closed
    Napi::Reference<Napi::ArrayBuffer> memory;
    Napi::Reference<Napi::Value> view;
};

Napi::Object resultOf(Napi::Env env, const Reply &reply)
{
    Napi::Object result = Napi::Object::New(env);

    result["result"] = Napi::Number::New(env, reply.result);
    result["origin"] = Napi::Number::New(env, reply.origin);
    result["outLength"] = Napi::Number::New(env, static_cast<double>(reply.outLength));
    result["a"] = Napi::Number::New(env, reply.a);
    result["b"] = Napi::Number::New(env, reply.b);
    result["c"] = Napi::Number::New(env, reply.c);
    result["d"] = Napi::Number::New(env, reply.d);
    return result;
}

class InvokeWork : public Work
{
  public:
    InvokeWork(Napi::Env env, TeeSession *owner, const Invoke &call)
        : Work(env), owner(owner), keep(Napi::Persistent(owner->Value())), session(owner->session), call(call)
    {
        owner->busy = true;
    }
    void Execute() override
    {
        reply = session->invoke(call);
    }
    void OnOK() override
    {
        owner->busy = false;
        deferred.Resolve(resultOf(Env(), reply));
    }
    void OnError(const Napi::Error &error) override
    {
        owner->busy = false;
        Work::OnError(error);
    }

  private:
    TeeSession *owner;
    Napi::ObjectReference keep;
    SharedSession session;
    Invoke call;
    Reply reply;
};

class CloseWork : public Work
{
  public:
    CloseWork(Napi::Env env, SharedSession session) : Work(env), session(std::move(session))
    {
    }
    void Execute() override
    {
        session.reset();
    }
    void OnOK() override
    {
        deferred.Resolve(Env().Undefined());
    }

  private:
    SharedSession session;
};

class OpenWork : public Work
{
  public:
    OpenWork(Napi::Env env, std::string library, const TEEC_UUID &uuid, size_t size)
        : Work(env), library(std::move(library)), uuid(uuid), size(size)
    {
    }
    void Execute() override
    {
        try {
            session = std::make_shared<Session>(library, uuid, size);
        } catch (const TeeFailure &failed) {
            failure.emplace(failed);
            SetError(failed.what());
        }
    }
    void OnOK() override
    {
        deferred.Resolve(TeeSession::wrap(Env(), std::move(session)));
    }
    void OnError(const Napi::Error &error) override
    {
        if (failure) {
            error.Value()["code"] = Napi::Number::New(Env(), failure->code);
            error.Value()["origin"] = Napi::Number::New(Env(), failure->origin);
        }
        Work::OnError(error);
    }

  private:
    const std::string library;
    const TEEC_UUID uuid;
    const size_t size;
    SharedSession session;
    std::optional<TeeFailure> failure;
};

struct Data {
    Napi::FunctionReference constructor;
};

void TeeSession::define(Napi::Env env)
{
    auto data = new Data();

    data->constructor = Napi::Persistent(DefineClass(
        env, "TeeSession",
        {InstanceAccessor<&TeeSession::getBuffer>("buffer"), InstanceMethod<&TeeSession::invoke>("invoke"),
         InstanceMethod<&TeeSession::invokeNow>("invokeNow"), InstanceMethod<&TeeSession::close>("close")}));
    env.SetInstanceData(data);
}

Napi::Object TeeSession::wrap(Napi::Env env, SharedSession session)
{
    return env.GetInstanceData<Data>()->constructor.New({Napi::External<SharedSession>::New(env, &session)});
}

TeeSession::TeeSession(const Napi::CallbackInfo &info) : Napi::ObjectWrap<TeeSession>(info)
{
    if (info.Length() != 1 || !info[0].IsExternal())
        throw Napi::TypeError::New(info.Env(), "sessions are opened with openTee()");
    session = *info[0].As<Napi::External<SharedSession>>().Data();
    // The memory lives as long as anyone can see it, even if nobody closes the session.
    auto share = new SharedSession(session);
    auto bytes = Napi::ArrayBuffer::New(
        info.Env(), session->buffer(), session->bufferSize(),
        [](Napi::Env, void *, SharedSession *hint) { delete hint; }, share);
    memory = Napi::Persistent(bytes);
    // Buffer.from() of an ArrayBuffer copies nothing; Node-API has no other way to this kind of Buffer before
    // Node 23.
    auto bufferClass = info.Env().Global().Get("Buffer").As<Napi::Object>();
    view = Napi::Persistent(bufferClass.Get("from").As<Napi::Function>().Call(bufferClass, {bytes}));
}

Napi::Value TeeSession::getBuffer(const Napi::CallbackInfo &)
{
    return view.Value();
}

Napi::Promise rejected(Napi::Env env, const char *why)
{
    auto deferred = Napi::Promise::Deferred::New(env);

    deferred.Reject(Napi::Error::New(env, why).Value());
    return deferred.Promise();
}

// A member of the parameters: 0 when absent. False when it is no whole number of at most `limit`.
bool number(const Napi::Object &from, const char *name, double limit, double &value)
{
    Napi::Value member = from.Get(name);

    value = 0;
    if (member.IsUndefined())
        return true;
    if (!member.IsNumber())
        return false;
    value = member.As<Napi::Number>().DoubleValue();
    return value >= 0 && value <= limit && value == static_cast<double>(static_cast<uint64_t>(value));
}

// NULL, or why the parameters cannot be taken.
const char *TeeSession::readInvoke(const Napi::CallbackInfo &info, Invoke &call) const
{
    Napi::Object given =
        info.Length() > 1 && info[1].IsObject() ? info[1].As<Napi::Object>() : Napi::Object::New(info.Env());
    double inOffset, inLength, outOffset, outLength, a, b;

    if (!session)
        return "the session is closed";
    if (busy)
        return "an invoke is under way in this session";
    const double size = static_cast<double>(session->bufferSize());
    if (info.Length() < 1 || !info[0].IsNumber() || !number(given, "inOffset", size, inOffset) ||
        !number(given, "inLength", size - inOffset, inLength) ||
        !number(given, "outOffset", size, outOffset) ||
        !number(given, "outLength", size - outOffset, outLength) || !number(given, "a", UINT32_MAX, a) ||
        !number(given, "b", UINT32_MAX, b))
        return "parameters outside the shared buffer, or not 32-bit values";
    call.command = info[0].As<Napi::Number>().Uint32Value();
    call.inOffset = static_cast<size_t>(inOffset);
    call.inLength = static_cast<size_t>(inLength);
    call.outOffset = static_cast<size_t>(outOffset);
    call.outLength = static_cast<size_t>(outLength);
    call.a = static_cast<uint32_t>(a);
    call.b = static_cast<uint32_t>(b);
    return nullptr;
}

Napi::Value TeeSession::invoke(const Napi::CallbackInfo &info)
{
    Invoke call;
    const char *refusal = readInvoke(info, call);

    return refusal ? rejected(info.Env(), refusal) : (new InvokeWork(info.Env(), this, call))->start();
}

// Two threads less to wake than with invoke(): the caller's waits itself.
Napi::Value TeeSession::invokeNow(const Napi::CallbackInfo &info)
{
    Invoke call;
    const char *refusal = readInvoke(info, call);

    if (refusal)
        throw Napi::Error::New(info.Env(), refusal);
    return resultOf(info.Env(), session->invoke(call));
}

// After this nobody in JavaScript can reach the shared memory.
void TeeSession::detach()
{
    memory.Value().Detach();
    memory.Reset();
}

Napi::Value TeeSession::close(const Napi::CallbackInfo &info)
{
    if (busy)
        return rejected(info.Env(), "an invoke is under way in this session");
    if (session)
        detach();
    return (new CloseWork(info.Env(), std::move(session)))->start();
}

Napi::Value openTee(const Napi::CallbackInfo &info)
{
    Napi::Env env = info.Env();
    TEEC_UUID uuid;
    double size;

    if (info.Length() < 1 || !info[0].IsObject())
        return rejected(env, "openTee({ library, uuid, bufferSize })");
    Napi::Object options = info[0].As<Napi::Object>();
    if (!options.Get("library").IsString())
        return rejected(env, "library: the path of a TEE client library");
    if (!options.Get("uuid").IsString() || !parseUuid(options.Get("uuid").As<Napi::String>(), uuid))
        return rejected(env, "uuid: 8-4-4-4-12 hexadecimal digits");
    if (!number(options, "bufferSize", 64 << 20, size) || size < 1)
        return rejected(env, "bufferSize: 1 byte to 64 MiB");
    return (new OpenWork(env, options.Get("library").As<Napi::String>(), uuid, static_cast<size_t>(size)))
        ->start();
}

Napi::Object init(Napi::Env env, Napi::Object exports)
{
    TeeSession::define(env);
    exports.Set("openTee", Napi::Function::New<openTee>(env, "openTee"));
    return exports;
}

} // namespace

NODE_API_MODULE(smart_zone_tee, init)
