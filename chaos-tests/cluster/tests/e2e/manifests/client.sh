until [ -e /records/start ]; do sleep 0.1; done
# Whoever begins again would write over what was recorded.
if [ ! -e /records/KIND.attempts ]; then
  while [ ! -e /records/stop ]; do sleep 0.1; done |
    evermesh-rig client --for-ms=600000 --kind=KIND --record=/records/KIND.attempts TARGETS
  : >/records/KIND.done
fi
exec sleep 2147483647
