"""The words that prompts are made of.

Every one is a single token, bare at the start of a text and after one space, in the byte-level BPE
vocabularies of SmolLM2 and DeepSeek, so that a prompt of n words is n tokens. Ordinary lower-case words only:
no escapes in JSON, nothing that a safety filter would stop at.
"""

COMMON = """
    ability able about above absorb accept access account accounts accuracy ache acre action actions
    active activity actual actually added adding address adequate adjust advanced affected after again
    against agency ages agree align allow allowed almost alone along already also alter always among
    amount analy analysis angle animal annual another answer answers ants apply area areas argument around
    array article articles artist arts ash aspect assign attempt aura author authors average avoid aware
    away back bags balance ball band bank bars base based basic basis beam bean bear beat because been
    before begin behavior being belief bell below belt best better between bird birds birth bite block
    blocks blue board boat body bold bolt bone bones book books boost boot border born both bottom bound
    bows brain brand bread break brew brief bright broad broken build building built bull business call
    called camp cannot capacity carbon card cards care cars cart case cases cash cast catch category cats
    cause cell cells center central certain chain change changed changes channel chap chapter charge chart
    chat check chemical chief child children choice choices choose church city civil claim classes clean
    clear click client climate clip close closed cloud club coal coat code coin cold color colors colour
    column combined come comes comfort coming command comment comments commit common company compare
    compared complete complex computer conduct cone confirm consider constant consumer contact contains
    content context continue contract control cool copy core corn correct cost could count counter country
    course courses court cover covered craft create created creating creation creative credit crime
    critical cross crow cube cultural culture current custom cuts cycle daily database date days deal
    decision deck deep default define defined degree degrees delay demo depth describe design destroy
    detail details develop device dial digital direct display distance district divided doctor document
    does doing domain done door double down download draw drive drop dual duct during dynamic each early
    earth easy eating echo economic edge edit editor effects eight either electric element elements else
    email employed enable ends energy enough ensure enter entry equal error errors ethical even event
    events ever every evidence example examples except exchange exercise exist existing exists exit expand
    expect expected external extra face fact factor factors facts failed failure fair faith fall false
    family fare farm fast father feature features feed feedback feel feet felt fiction field fields fight
    fighting figure file files fill filled film filter final find finding fine fire first fish five fixed
    flag flat flight float floor flowers fluid flux focus fold folk follow font food foot forced forces
    fore forest form formal format formed former forms fort forth forward found four frame free fresh
    friend friends from front fruit fuel full fully function fund future gain game games gate gear general
    generate genes getting give given giving glass global goal going gold gone good grade grand grant
    graph grass gray great greater green grid ground group groups grown growth guess guide hair half hall
    hand handle hands happy hard have having head health healthy heart heat heavy height held help helps
    hens here hers hidden hide high higher hill hire history hold holding hole home hood hook hops horn
    horse hour hours house houses housing however human hyper icon idea ideal identity image images impact
    import inch inches include includes income index industry initial inks input insert inside install
    instance instead inter interest internal into iris iron issue issues item items jack jobs join joined
    joint journal just justice keep keeping keys kids kind king kins know known label lake lance land
    lands language large last late later latest layer lead leader leading leaf lean learn learning least
    leave left length less lest lets letter letters level levels library life lift light like likely limit
    limited limits line lines link links lion liquid listed listen liter little living load loan local
    located location logging logs long look looking loop lord loss lower machine made mail main mainly
    major make making manage managed many maps marine mark marked market markets mask mass master match
    material math matrix maximum maybe meal mean meaning means measure measured measures media medical
    medicine medium member members memory menu message messages method methods middle might mile million
    mind mine mini minimum minor minutes miss missing mission mixed mobile mode model models modern module
    moment money month months more most mostly mother motor mount mouth move moving much multi multiple
    museum music must nail name named names nation national native natural nature near neck need negative
    nest network never next night nine normal note notes nothing noun number numbers nuts object objects
    observed occur offer office official often older olds once ones online only onto open optimal option
    options order organic orient origin original other others ours output outside oven over owed owners
    owns oxygen pace pack page pages pair paper parent parents park part parts party pass passed past path
    patient patients pattern patterns peace peak peer people percent perfect perform perhaps period person
    personal persons phase phone photos physical physics pick picture piece pieces pies pine place placed
    places plan planet plant plants plastic plate platform play played player players playing plays please
    plot plug plus point points pole policy pool popular port portion position positive possible possibly
    post power powers practice predict prepare present press pressure pretty previous price primary print
    prior private probably problem problems process product products program project projects property
    protein protocol provided public pull pure push quality quest question quick quit quite radio raft
    rail rain raise raised random range rank rare rate rates rather ratio rays reach read reader reading
    ready real really reason received record records reduce reflect region regional regular related
    relative release relevant remember remote remove rent replace report request require required requires
    research resource respect response rest results return returns review rice rich ride right ring ripe
    rise river road robe rock role roles room root roots rose round routine rows rude rule rules running
    rush rust safe said salt same sample sand save scale scene school science score screen script search
    season seat second secret section secure security seed seeing seek seen select selected self sell send
    sense sent sequence series server service services session sets setting settings seven several shape
    share shared shell shift ship shop short should show shown side sign signal similar simple since
    single site size skill skills skin sleep slot slow small smart soft software soil solid solution solve
    some someone song soon sort sound source space span special species specific speed spin split spot
    spring square stable staff stage stand standard standing stars start starting state stated states
    station status step steps stick still stock stone stop storage store storm story stream street stress
    strict string strong student students study style styles subject success such summary super support
    surface survey switch symbol system systems table tags tail take taking talk target task tasks teacher
    teachers teaching team tell term terms test testing tests than that their them then theory therapy
    there these they thin things think thinking third this those though thought thread three through thus
    ties time times tiny tips title today together tool tools topic tops total touch town track trade
    training transfer travel tree true trust truth tube turn type types typical under unique unit units
    unknown unless until update upon upper urban usage used user users using usually valid value values
    variable vehicle version very vest video view views vine virtual visible vision visit visual voice
    volume vote wait walk wall walls want ward warming wash watch water waters wave waves ways wealth wear
    weather website week weight well went were west western what when where whether which while whole
    whose wide wild will wind window wing wire wise with within without wolf wood word words work worked
    workers working works world worth would wrap write writer writers writing written wrong yard year
    years yellow young your zero zoom
"""

# Single tokens in very small vocabularies (8,192 entries) too, so that those keep enough words to work with.
SHORT = """
    ban be ber bin bon can cin con da dan de der di din do don du fa fan fer fin ga ger gin go gon ha he
    her hero hi ho hon ja jan ju ker kin ko la lan li lin list lo lon love ma male man me mer mi min mist
    mo mon mu na nan ne ni no non nu pa pan pe per pi pin po ran re ro san sin so son ta tan ti tin to ton
    va van we win won zone
"""

WORDS = tuple(f"{COMMON} {SHORT}".split())
